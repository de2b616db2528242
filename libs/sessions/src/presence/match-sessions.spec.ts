import fc from 'fast-check';
import { aSession } from '../registry/for-tests.js';
import { matchSessions } from './match-sessions.js';

const now = 1_790_000_000_000;

const ours = fc.uniqueArray(
  fc.record({
    sessionId: fc.integer({ min: 0, max: 9 }).map(String),
    channel: fc.constantFrom('a', 'b'),
    ip: fc.constantFrom('192.0.2.1', '::ffff:192.0.2.1', '2001:DB8::1'),
    openedAt: fc.integer({ min: now - 20_000, max: now }),
  }),
  { selector: (one) => one.sessionId, maxLength: 8 },
);
const listed = fc.array(
  fc.record(
    {
      id: fc.integer({ min: 0, max: 9 }).map(String),
      channel: fc.constantFrom('a', 'b'),
      ip: fc.constantFrom('192.0.2.1', '2001:db8::1'),
      uptime: fc.integer({ min: 0, max: 20 }).map((seconds) => seconds * 1000),
    },
    { requiredKeys: [] },
  ),
  { maxLength: 12 },
);

describe('matching a list with our sessions', () => {
  it('takes each of ours once at most, accounts for every listed one, and never against channel or address', () => {
    fc.assert(
      fc.property(ours, listed, (ours, listed) => {
        const sessions = ours.map((changes) => aSession(changes));
        const matches = matchSessions(listed, sessions, now);
        expect(new Set(matches.sessions).size).toBe(matches.sessions.length);
        expect(matches.byId + matches.byFacts).toBe(matches.sessions.length);
        expect(matches.sessions.length + matches.foreign).toBe(listed.length);
        for (const session of matches.sessions) {
          const possible = listed.some((one) => (one.channel ?? session.channel) === session.channel);
          expect(possible).toBe(true);
        }
      }),
    );
  });

  it('finds every session of a truthful list, whatever its ids are called', () => {
    fc.assert(
      fc.property(ours, fc.boolean(), (ours, idsAreOurs) => {
        const sessions = ours.map((changes, i) => aSession({ ...changes, ip: `192.0.2.${i + 1}` }));
        const truthful = sessions.map(({ sessionId, channel, ip, openedAt }) => ({
          id: idsAreOurs ? sessionId : `their-${sessionId}`,
          channel,
          ip,
          uptime: Math.floor((now - openedAt) / 1000) * 1000,
        }));
        const matches = matchSessions(truthful, sessions, now);
        expect(new Set(matches.sessions)).toEqual(new Set(sessions));
        expect(matches[idsAreOurs ? 'byId' : 'byFacts']).toBe(sessions.length);
      }),
    );
  });

  it('takes the nearest start where several are possible', () => {
    const [near, far] = [now - 10_000, now - 12_000].map((openedAt, i) =>
      aSession({ sessionId: String(i), openedAt }),
    );
    const one = { id: 'x', channel: 'a001', ip: '192.0.2.7', uptime: 10_000 };
    expect(matchSessions([one], [far!, near!], now).sessions).toEqual([near]);
    expect(matchSessions([one, one], [far!, near!], now).sessions).toEqual([near, far]);
    expect(matchSessions([{ ...one, uptime: 4_000 }], [far!, near!], now).foreign).toBe(1);
  });
});
