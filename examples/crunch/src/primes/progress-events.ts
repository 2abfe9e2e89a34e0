import { Logger, type MessageEvent } from '@nestjs/common';
import { Observable } from 'rxjs';
import { MessageChannel, type MessagePort } from 'node:worker_threads';

const log = new Logger('Progress');

/**
 * The events of a job: `progress` for whatever it sends through its port, then `result`, or `failed`. Not `error`, which is
 * what a browser's EventSource calls a lost connection.
 */
export function progressEvents(job: (progress: MessagePort) => Promise<object>): Observable<MessageEvent> {
  return new Observable(subscriber => {
    const { port1: ours, port2: theirs } = new MessageChannel();
    ours.on('message', (progress: object) => {
      subscriber.next({ type: 'progress', data: progress });
    });
    void job(theirs)
      .then(
        (result): MessageEvent => ({ type: 'result', data: result }),
        (error: unknown): MessageEvent => {
          // Who has left need not be told.
          if (!subscriber.closed) log.error(error);
          return { type: 'failed', data: { message: 'The work has ended before its time. Try again.' } };
        },
      )
      .then(last => {
        subscriber.next(last);
        subscriber.complete();
      });
    // Both ends, wherever the other is.
    return () => ours.close();
  });
}
