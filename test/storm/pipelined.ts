import { connect, type Socket } from 'node:net';
import { pathOf, type Outcome } from './client.js';
import { GuestBook, type Guest } from './guest.js';

/** Sends all requests at once on one connection, and reads the answers in their order. */
export function pipelined(port: number, party: readonly Guest[]): Promise<Outcome[]> {
  return new Promise(resolve => {
    const answers: number[] = [];
    const socket = connect(port, '127.0.0.1');
    let left = false;
    const leave = (): void => {
      left = true;
      socket.destroy();
    };
    const timers = plan(party, leave);
    let unread = '';
    socket.setEncoding('latin1').on('data', (chunk: Buffer | string) => {
      unread += String(chunk);
      for (
        let taken = takeAnswer(unread);
        taken && answers.length < party.length;
        taken = takeAnswer(unread)
      ) {
        unread = taken.rest;
        answers.push(taken.status);
        if (party[answers.length - 1]!.visit.leaves === 'end') leave();
      }
      if (answers.length === party.length) socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      for (const timer of timers) clearTimeout(timer);
      resolve(party.map((_, i) => answers[i] ?? (left ? 'left' : 'broken')));
    });
    send(socket, party);
  });
}

function send(socket: Socket, party: readonly Guest[]): void {
  socket.write(
    party
      .map(
        guest =>
          `GET ${pathOf(guest)} HTTP/1.1\r\nHost: storm\r\n${GuestBook.HEADER}: ${guest.visit.id}\r\n\r\n`,
      )
      .join(''),
  );
}

/** Whoever wants to leave takes the whole party with him. */
function plan(party: readonly Guest[], leave: () => void): NodeJS.Timeout[] {
  const timers: NodeJS.Timeout[] = [];
  for (const guest of party) {
    const { leaves, patience } = guest.visit;
    if (leaves === 'asking' || leaves === 'holding') guest.when(leaves, leave);
    if (leaves === 'some time') timers.push(setTimeout(leave, patience));
  }
  return timers;
}

/** The first whole answer of what has arrived. The kinds that are pipelined tell their length. */
function takeAnswer(text: string): { status: number; rest: string } | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = text.slice(0, end);
  const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
  const body = end + 4;
  if (text.length < body + length) return undefined;
  return { status: Number(head.slice(9, 12)), rest: text.slice(body + length) };
}
