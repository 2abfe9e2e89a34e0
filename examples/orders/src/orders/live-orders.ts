import { Injectable, type MessageEvent } from '@nestjs/common';
import type { Client, Notification } from 'pg';
import { Observable } from 'rxjs';

@Injectable()
export class LiveOrders {
  /**
   * The orders that are placed from now on. Needs the connection for as long as somebody is subscribed; what LISTEN has
   * left in the session is gone when the pool lends it to the next one.
   */
  from(db: Client): Observable<MessageEvent> {
    return new Observable(subscriber => {
      const tell = ({ payload = '' }: Notification): void => {
        subscriber.next({ type: 'order', data: payload });
      };
      // Without its connection a subscription would be silent for ever: this way the client connects anew.
      const end = (): void => {
        subscriber.complete();
      };
      db.on('notification', tell);
      db.once('end', end);
      db.query('listen orders').then(
        () => {
          subscriber.next({ comment: 'listening' });
        },
        (error: unknown) => {
          subscriber.error(error);
        },
      );
      return () => {
        db.off('notification', tell);
        db.off('end', end);
      };
    });
  }
}
