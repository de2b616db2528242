/**
 * A worker that dies between its reply and what it was to write down: takes one check from the lane `portal` of this Redis
 * (its address is the argument), allows it, and is killed as soon as its reply has left.
 */
import { StreamServer, BUS_REDIS_OPTIONS } from '#usher/bus';
import { connectionFactory } from '#usher/redis';

const open = connectionFactory({ url: process.argv[2] });
const server = new StreamServer({
  connect: () => open({ ...BUS_REDIS_OPTIONS, connectionName: 'dying-worker' }),
  id: 'dying-worker',
  now: () => Date.now(),
  lanes: { portal: 1 },
});
server.addHandler('check', async () => {
  setImmediate(() => {
    void server.drain().then(() => process.kill(process.pid, 'SIGKILL'));
  });
  return {
    kind: 'allow',
    backend: 'portal',
    reason: 'backend-allowed',
    status: 200,
    user: 'anna',
    tookMs: 1,
  };
});
await server.listen((error) => {
  if (error !== undefined) throw error;
});
process.stdout.write('ready\n');
