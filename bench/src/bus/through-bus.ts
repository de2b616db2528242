import { StreamClient, StreamServer } from '#usher/bus';
import { message, type Message } from './drive.js';
import { SLOTS, type Kind } from './kind.js';

const DEADLINE_MS = 2_000;
const TAKE_WITHIN_MS = 1_000;

/** libs/bus as Usher uses it: `ask()`, and a handler by name. */
export const throughBus: Kind = {
  async serve(connect) {
    const server = new StreamServer({ connect, lanes: { main: SLOTS } });
    server.addHandler('echo', (data: Message) => Promise.resolve(data.id));
    await new Promise<void>((resolve) => void server.listen(() => resolve()));
  },

  async asker(connect) {
    const client = new StreamClient({ connect });
    await client.connect();
    let nextId = 1;
    return (done) => {
      const options = { deadlineAt: Date.now() + DEADLINE_MS, takeWithinMs: TAKE_WITHIN_MS };
      client.ask('echo', message(nextId++), options, (outcome) => {
        if (outcome.kind !== 'answered') throw new Error(`a question of the benchmark ended ${outcome.kind}`);
        done();
      });
    };
  },
};
