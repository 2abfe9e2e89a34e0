// A moderator's tool: `node examples/chat/moderate.mjs hide ID [REASON]`, and `… left NAME`.
import { ClientProxyFactory, Transport } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';

const [command, what, reason = 'against the rules'] = process.argv.slice(2);
const client = ClientProxyFactory.create({
  transport: Transport.TCP,
  options: { port: Number(process.env.TCP_PORT ?? 3001) },
});
const said =
  command === 'left'
    ? client.emit('user.left', { name: what })
    : client.send('messages.hide', { id: Number(what), reason });
// Of an event there is no answer.
await lastValueFrom(said).then(answer => console.log(answer ?? 'told'), console.error);
await client.close();
