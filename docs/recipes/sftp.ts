import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { promisify } from 'node:util';
import type { ResourceFactory } from 'nestjs-pool/engine';
import { Client, type ConnectConfig, type SFTPWrapper } from 'ssh2';

/** An SSH connection, which stays, and the SFTP session on it that belongs to one borrower. */
export interface SftpConnection {
  readonly ssh: Client;
  readonly socket: Socket;
  sftp: SFTPWrapper;
}

type Config = Omit<ConnectConfig, 'hostVerifier'> & {
  host: string;
  hostVerifier: (key: Buffer) => boolean;
};

export function sftpFactory({ host, port = 22, ...config }: Config): ResourceFactory<SftpConnection> {
  return {
    async create({ signal, invalidate }) {
      const socket = connect({ host, port, noDelay: true });
      const ssh = new Client();
      ssh.on('error', invalidate);
      ssh.on('close', () => invalidate(new Error('The SSH connection has closed')));
      try {
        ssh.connect({ keepaliveInterval: 15_000, ...config, sock: socket });
        await once(ssh, 'ready', { signal });
        return { ssh, socket, sftp: await openSftp(ssh) };
      } catch (error) {
        socket.destroy();
        throw error;
      }
    },
    async validate({ sftp }) {
      await promisify<string, string>(sftp.realpath.bind(sftp))('.');
    },
    async reset(connection) {
      connection.sftp.removeAllListeners('close').end();
      connection.sftp = await openSftp(connection.ssh);
    },
    async destroy({ ssh, socket }) {
      ssh.end();
      if (socket.closed) return;
      await once(socket, 'close', { signal: AbortSignal.timeout(1_000) }).catch(() => socket.destroy());
    },
    isFatal: error => has(error, 'code', 6) || has(error, 'code', 7),
    isRetryable: error => !has(error, 'level', 'client-authentication'),
  };
}

async function openSftp(ssh: Client): Promise<SFTPWrapper> {
  const sftp = await promisify(ssh.sftp.bind(ssh))();
  sftp.on('error', (error: unknown) => ssh.emit('error', error));
  sftp.on('close', () => ssh.emit('error', new Error('The SFTP session has closed')));
  return sftp;
}

function has(error: unknown, key: 'code' | 'level', value: unknown): boolean {
  return error instanceof Error && (error as unknown as Record<string, unknown>)[key] === value;
}
