import fc from 'fast-check';
import { anyPair } from './any-words.js';
import { Reader } from './reading.js';
import { SERVERS } from './servers/all.js';
import type { Server } from './servers/server.js';

/** What viewers say, for each dialect, shared by the servers that speak it. More on demand: docs/dialects.md. */
const RUNS = Number(process.env['HOSTILE_RUNS'] ?? 100_000);

/** Of all that are drawn for one server, also where more are wanted, ms. */
const DEADLINE = 3_600_000;

const FACTS = [
  { ip: '192.0.2.7', app: 'live', stream: 'a001', session: '42' },
  { ip: '2001:db8::7', app: 'live', stream: 'sport', session: '18446744073709551615' },
];

const inputsOf = ({ dialect }: Server): number =>
  Math.ceil(RUNS / SERVERS.filter((other) => other.dialect === dialect).length);

describe('whatever a viewer says, he is refused, or all that counts is his server’s own:', () => {
  it.each(SERVERS.map((server) => [server.name, server] as const))(
    '%s',
    (_, server) => {
      const reader = new Reader(server);
      let asked = 0;
      fc.assert(
        // Each has two viewers.
        fc.property(fc.constantFrom(...FACTS), anyPair, (facts, { one, other }) => {
          const [his, another] = [reader.read(facts, one), reader.read(facts, other)];
          if (his === undefined || another === undefined) return;
          asked += 1;
          reader.readEnd(facts, one, his);
          if (his.shown === another.shown) return;
          if (his.fingerprint() === another.fingerprint()) throw new Error('two viewers are one');
          const gist = his.gist();
          if (gist !== undefined && gist === another.gist()) throw new Error('two questions are one');
        }),
        { numRuns: Math.ceil(inputsOf(server) / 2) },
      );
      // A reader that refused everybody would find nothing.
      expect(asked).toBeGreaterThan(inputsOf(server) / 10);
    },
    DEADLINE,
  );
});
