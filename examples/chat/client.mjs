// A client of the chat: `node examples/chat/client.mjs TOKEN ROOM`. What you type is said; /history shows what was.
import { createInterface } from 'node:readline';
import { io } from 'socket.io-client';

const [token = 'ada', room = 'lobby'] = process.argv.slice(2);
const socket = io(`http://localhost:${process.env.PORT ?? 3000}`, { auth: { token } });
const show = ({ id, author, text }) => console.log(`${id} ${author}: ${text}`);

socket.on('welcome', name => {
  console.log(`You are ${name}`);
  socket.emit('join', room, ({ name, said }) => console.log(`in ${name}, where there are ${said} messages`));
});
socket.on('said', show);
socket.on('history', line => (line ? show(line) : console.log('That is all')));
socket.on('hidden', id => console.log(`${id} was hidden`));
// Errors are no acknowledgement: with a full pool, one says after how many seconds to try again.
socket.on('exception', error => console.log('exception', error));
socket.on('connect_error', ({ message }) => console.log(message));
socket.on('disconnect', reason => {
  console.log(reason);
  // Others are tried again.
  if (reason === 'io server disconnect') process.exit();
});

createInterface({ input: process.stdin })
  .on('line', line => {
    if (line === '/history') socket.emit('history', room);
    else socket.emit('say', { room, text: line }, show);
  })
  .on('close', () => process.exit());
