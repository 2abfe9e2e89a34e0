import { Injectable, type MessageEvent } from '@nestjs/common';
import type { RowDataPacket } from 'mysql2';
import type { Connection } from 'mysql2/promise';
import { EMPTY, catchError, concat, defer, exhaustMap, interval, map, mergeAll, type Observable } from 'rxjs';

const LOOK_EVERY = 250;

/** Takes the place of `LiveOrders`. MariaDB tells nobody of anything, so this asks. */
@Injectable()
export class MariadbLiveOrders {
  /** The orders that are placed from now on. Needs the connection for as long as somebody is subscribed. */
  from(db: Connection): Observable<MessageEvent> {
    let latest = 0;
    const start = async (): Promise<void> => {
      const [rows] = await db.query<RowDataPacket[]>('select latest from announcements');
      latest = (rows[0] as { latest: number }).latest;
    };
    const look = async (): Promise<MessageEvent[]> => {
      const [rows] = await db.query<RowDataPacket[]>(
        'select id, customer, announced from orders where announced > ? order by announced',
        [latest],
      );
      const orders = rows as { id: number; customer: string; announced: number }[];
      latest = orders.at(-1)?.announced ?? latest;
      return orders.map(({ id, customer }) => ({ type: 'order', data: JSON.stringify({ id, customer }) }));
    };
    return concat(
      defer(start).pipe(map(() => ({ comment: 'listening' }))),
      interval(LOOK_EVERY).pipe(
        exhaustMap(look),
        mergeAll(),
        // Without its connection there is nothing more to come: this way the client connects anew.
        catchError(() => EMPTY),
      ),
    );
  }
}
