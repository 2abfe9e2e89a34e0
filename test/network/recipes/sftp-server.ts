import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import ssh2, { type Connection, type Server, type SFTPWrapper } from 'ssh2';

const { OPEN_MODE, STATUS_CODE } = ssh2.utils.sftp;

export const USER = 'pool';
export const PASSWORD = 's3cret-of-sftp';

/** A real SSH server on this machine, whose SFTP knows one file, and that counts what its clients have open. */
export class SftpServer {
  readonly hostKey = ssh2.utils.generateKeyPairSync('ed25519');
  readonly connections = new Set<Connection>();
  readonly sessions = new Set<SFTPWrapper>();
  /** Handles of files that clients have open. */
  readonly handles = new Set<string>();
  /** Sessions that were ever opened. */
  opened = 0;
  /** Logins that were refused. */
  refused = 0;
  private nextHandle = 0;
  private readonly server: Server = new ssh2.Server({ hostKeys: [this.hostKey.private] }, connection => {
    this.connections.add(connection);
    connection.on('close', () => this.connections.delete(connection));
    connection.on('error', () => undefined);
    // Its types do not know it.
    (connection as unknown as Socket).setNoDelay(true);
    connection.on('authentication', context => {
      if (context.method === 'password' && context.username === USER && context.password === PASSWORD) {
        context.accept();
        return;
      }
      if (context.method === 'password') this.refused++;
      context.reject(['password']);
    });
    connection.on('session', accept => {
      accept().on('sftp', acceptSftp => this.serve(acceptSftp()));
    });
  });

  static async listen(): Promise<SftpServer> {
    const server = new SftpServer();
    server.server.listen(0, '127.0.0.1');
    await once(server.server, 'listening');
    return server;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.connections) connection.end();
    const closed = once(this.server, 'close');
    this.server.close();
    await closed;
  }

  private serve(sftp: SFTPWrapper): void {
    const own = new Set<string>();
    this.opened++;
    this.sessions.add(sftp);
    sftp.on('close', () => {
      this.sessions.delete(sftp);
      for (const handle of own) this.handles.delete(handle);
    });
    sftp.on('REALPATH', (id, path) => {
      sftp.name(id, [{ filename: path === '.' ? '/home' : path, longname: '', attrs: {} as never }]);
    });
    sftp.on('OPEN', (id, path, flags) => {
      if (path !== '/file' || !(flags & OPEN_MODE.READ)) {
        sftp.status(id, STATUS_CODE.NO_SUCH_FILE);
        return;
      }
      const handle = String(this.nextHandle++);
      own.add(handle);
      this.handles.add(handle);
      sftp.handle(id, Buffer.from(handle));
    });
    sftp.on('READ', (id, handle) => {
      // A session knows the handles that it has given, and no others.
      if (!own.has(handle.toString())) {
        sftp.status(id, STATUS_CODE.FAILURE);
        return;
      }
      sftp.data(id, Buffer.from('what is in the file'));
    });
    sftp.on('CLOSE', (id, handle) => {
      own.delete(handle.toString());
      this.handles.delete(handle.toString());
      sftp.status(id, STATUS_CODE.OK);
    });
  }
}
