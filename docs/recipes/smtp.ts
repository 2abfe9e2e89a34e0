import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import type { ResourceFactory } from 'nestjs-pool/engine';
import type { NodemailerError } from 'nodemailer';
import SMTPConnection from 'nodemailer/lib/smtp-connection';

type Options = NonNullable<ConstructorParameters<typeof SMTPConnection>[0]>;
type Auth = Parameters<SMTPConnection['login']>[0];
type Envelope = Parameters<SMTPConnection['send']>[0];
interface Sent {
  accepted: string[];
  rejected: string[];
  response: string;
}

export class SmtpSession {
  /** A message is under way, or nobody knows how much of it has arrived. */
  unsettled = false;

  constructor(
    readonly connection: SMTPConnection,
    private readonly gone: Promise<never>,
  ) {}

  async send(envelope: Envelope, message: string | Buffer | Readable): Promise<Sent> {
    if (this.unsettled) throw new Error('One message at a time: the one before has not been answered');
    this.unsettled = true;
    try {
      const send = promisify<Envelope, typeof message, Sent>(this.connection.send.bind(this.connection));
      const sent = await Promise.race([this.gone, send(envelope, message)]);
      this.unsettled = false;
      return sent;
    } catch (error) {
      const { responseCode, code } = error as NodemailerError;
      this.unsettled = responseCode === undefined && code !== 'EENVELOPE';
      throw error;
    }
  }
}

export function smtpFactory({ auth, ...options }: Options & { auth?: Auth }): ResourceFactory<SmtpSession> {
  return {
    async create({ signal, invalidate }) {
      const connection = new SMTPConnection({
        ...{ requireTLS: !options.secure, socketCloseTimeout: 1_000 },
        ...options,
      });
      const gone = new Promise<never>((_, reject) => {
        connection.on('error', reject).on('end', () => reject(new Error('The SMTP connection has ended')));
      });
      gone.catch(invalidate);
      signal.addEventListener('abort', () => connection.close());
      try {
        await Promise.race([gone, promisify(connection.connect.bind(connection))()]);
        if (auth) await Promise.race([gone, promisify(connection.login.bind(connection))(auth)]);
        return new SmtpSession(connection, gone);
      } catch (error) {
        connection.close();
        throw error;
      }
    },
    async validate({ connection }) {
      await promisify(connection.reset.bind(connection))();
    },
    async reset({ connection, unsettled }) {
      if (unsettled) return false;
      await promisify(connection.reset.bind(connection))();
      return true;
    },
    async destroy({ connection, unsettled }) {
      if (connection.destroyed) return;
      const ended = once(connection, 'end', { signal: AbortSignal.timeout(1_000) });
      if (unsettled) connection.close();
      else connection.quit();
      await ended.catch(() => connection.close());
    },
    isFatal: (_error, { unsettled }) => unsettled,
    isRetryable: error => (error as NodemailerError).code !== 'EAUTH',
  };
}
