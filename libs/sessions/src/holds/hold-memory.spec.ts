import { credentialKeyOf, digest } from '#usher/domain';
import type { HeldFacts, HoldKind } from '#usher/domain';
import { ManualClock } from '#usher/testing';
import fc from 'fast-check';
import { HoldMemory } from './hold-memory.js';
import type { HeldRecord } from './hold-record.js';
import { holdSubject } from './hold-subject.js';

const viewerKey = digest('viewer', 'somebody');
const facts = (part: Partial<HeldFacts> = {}): HeldFacts => ({
  ip: '192.0.2.7',
  channel: 'a001',
  userAgent: 'VLC/3.0.18 LibVLC/3.0.18',
  viewerKey,
  credential: 'token=123',
  ...part,
});

function world() {
  const clock = new ManualClock();
  const memory = new HoldMemory(clock);
  const hold = (kind: HoldKind, subject: string, part: Partial<HeldRecord> = {}): boolean =>
    memory.apply({
      kind,
      subject: holdSubject(kind, subject),
      effect: 'refuse',
      since: clock.now(),
      until: clock.now() + 60_000,
      origin: 'hand',
      by: 'operator',
      reason: '',
      ...part,
    });
  const found = (part: Partial<HeldFacts> = {}): string | undefined => memory.before(facts(part))?.kind;
  return { clock, memory, hold, found };
}

describe('a hold', () => {
  it.each<[HoldKind, string, Partial<HeldFacts>]>([
    ['credential', credentialKeyOf('token=123'), { credential: 'token=124' }],
    ['viewer', viewerKey, { viewerKey: digest('viewer', 'else') }],
    ['address', '192.0.2.7', { ip: '192.0.2.8' }],
    ['network', '192.0.2.0/24', { ip: '192.0.3.7' }],
    ['agent', '*libvlc/3.*', { userAgent: 'MAG254' }],
    ['channel', 'a001', { channel: 'a002' }],
  ])('on a %s is found by it, and by nothing else', (kind, subject, other) => {
    const { hold, found } = world();
    hold(kind, subject);
    expect(found()).toBe(kind);
    expect(found(other)).toBeUndefined();
  });

  it('on a user is found once he is named, in his namespace; on user and viewer key only with both', () => {
    const { memory, hold } = world();
    hold('user', 'portal/anna');
    hold('user-viewer', `portal/bob/${viewerKey}`);
    expect(memory.ofUser('portal', 'anna', 'any')?.kind).toBe('user');
    expect(memory.ofUser('billing', 'anna', 'any')).toBeUndefined();
    expect(memory.ofUser('portal', 'bob', viewerKey)?.kind).toBe('user-viewer');
    expect(memory.ofUser('portal', 'bob', digest('viewer', 'else'))).toBeUndefined();
    expect(memory.ofUser('portal', '', viewerKey)).toBeUndefined();
    expect(memory.before(facts())).toBeUndefined();
  });

  it('finds a user whose name is too long for a record as the record has it', () => {
    const { memory, hold } = world();
    const long = 'u'.repeat(200);
    hold('user', `portal/${long}`);
    expect(memory.ofUser('portal', long, viewerKey)?.kind).toBe('user');
    expect(memory.ofUser('portal', 'u'.repeat(199), viewerKey)).toBeUndefined();
  });

  it('on the narrower subject counts: an address that may in a network that may not', () => {
    const { memory, hold } = world();
    hold('channel', 'a001', { effect: 'pass' });
    hold('network', '192.0.0.0/16');
    hold('network', '192.0.2.0/24', { effect: 'pass' });
    expect(memory.before(facts())).toMatchObject({ kind: 'network', effect: 'pass' });
    hold('address', '::ffff:192.0.2.7');
    expect(memory.before(facts())).toMatchObject({ kind: 'address', effect: 'refuse' });
    expect(memory.before(facts({ ip: '192.0.3.1' }))).toMatchObject({ kind: 'network', effect: 'refuse' });
    expect(memory.before(facts({ ip: '198.51.100.1' }))).toMatchObject({ kind: 'channel', effect: 'pass' });
  });

  it('ends by itself, and is forgotten then', () => {
    const { clock, memory, hold, found } = world();
    hold('address', '192.0.2.7');
    clock.advance(60_000);
    expect(found()).toBeUndefined();
    memory.purge();
    expect(memory.size).toBe(0);
  });

  it('that let in is a change when it is over: a refusal that it stood before counts again', () => {
    const { clock, memory, hold } = world();
    hold('user', 'portal/anna', { until: clock.now() + 3_600_000 });
    hold('user-viewer', `portal/anna/${viewerKey}`, { effect: 'pass' });
    hold('address', '198.51.100.1');
    const { version } = memory;
    expect(memory.ofUser('portal', 'anna', viewerKey)?.effect).toBe('pass');
    clock.advance(60_000);
    memory.purge();
    expect(memory.ofUser('portal', 'anna', viewerKey)?.effect).toBe('refuse');
    expect(memory.version).toBe(version + 1);
  });

  it('that is lifted counts no more, and an older word about it changes nothing', () => {
    const { clock, memory, hold, found } = world();
    const set = clock.now();
    hold('address', '192.0.2.7', { until: set + 9_000_000 });
    clock.advance(10);
    const { version } = memory;
    expect(hold('address', '192.0.2.7', { effect: 'lifted', until: set + 9_000_000 })).toBe(true);
    expect(memory.version).not.toBe(version);
    expect(found()).toBeUndefined();
    expect(hold('address', '192.0.2.7', { since: set, until: set + 9_000_000 })).toBe(false);
    expect(found()).toBeUndefined();
    expect([...memory.holds()]).toEqual([]);
  });

  it('on a network is found exactly by the addresses in it', () => {
    const address = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255));
    fc.assert(
      fc.property(address, address, fc.integer({ min: 0, max: 32 }), (a, b, bits) => {
        const { hold, found } = world();
        hold('network', `${a.join('.')}/${bits}`);
        const number = (parts: readonly number[]) => parts.reduce((sum, part) => sum * 256 + part, 0);
        const same = Math.floor(number(a) / 2 ** (32 - bits)) === Math.floor(number(b) / 2 ** (32 - bits));
        return (found({ ip: b.join('.') }) === 'network') === same;
      }),
    );
  });

  it('on an IPv6 network or address is found however the address is written', () => {
    const { hold, found } = world();
    hold('network', '2001:DB8:1::/48');
    hold('address', '2001:db8:2:0:0:0:0:7');
    expect(found({ ip: '2001:0db8:0001:ffff::1' })).toBe('network');
    expect(found({ ip: '2001:db8:2::7' })).toBe('address');
    expect(found({ ip: '2001:db8:3::7' })).toBeUndefined();
    expect(found({ ip: 'no address at all' })).toBeUndefined();
  });

  it('on user agents takes stars as anything, as a regular expression would', () => {
    const word = fc.stringMatching(/^[ab]{0,3}$/);
    fc.assert(
      fc.property(
        fc.array(word, { minLength: 1, maxLength: 4 }),
        fc.stringMatching(/^[abAB]{0,8}$/),
        (parts, agent) => {
          const pattern = parts.join('*');
          fc.pre(/[ab]/.test(pattern));
          const { hold, found } = world();
          hold('agent', pattern);
          return (
            (found({ userAgent: agent }) === 'agent') === new RegExp(`^${parts.join('.*')}$`, 'i').test(agent)
          );
        },
      ),
    );
  });
});

describe('a subject that is none', () => {
  it.each<[HoldKind, string]>([
    ['address', 'example.com'],
    ['network', '10.0.0.0'],
    ['network', '10.0.0.0/33'],
    ['agent', '**'],
    ['credential', 'token=123'],
    ['user', 'anna'],
    ['user', 'portal/'],
    ['user-viewer', 'portal/anna'],
    ['channel', ''],
    ['channel', 'x'.repeat(513)],
  ])('is refused: %s %s', (kind, subject) => {
    expect(() => holdSubject(kind, subject)).toThrow(kind === 'credential' ? /26/ : kind);
  });
});
