import { BlockList, isIP } from 'node:net';
import fc from 'fast-check';
import { isIn, readAddress, readNetwork } from './address.js';
import { AddressList, verdictOf, VERDICTS, type Verdict } from './address-list.js';
import { readListFile } from './list-file.js';

const words = new Uint32Array(4);

const anyIp = fc.oneof(fc.ipV4(), fc.ipV6());
/** Near to addresses: where a parser is wrong. */
const nearIp = fc.oneof(
  fc.string({ unit: fc.constantFrom(...Array.from('0123456789abcF:.%')), maxLength: 24 }),
  fc
    .tuple(anyIp, fc.nat(40), fc.constantFrom(...Array.from('0:.gf')))
    .map(([ip, at, char]) => ip.slice(0, at) + char + ip.slice(at + 1)),
  fc.string(),
);

describe('readAddress', () => {
  it('takes for an address what Node does, and nothing else', () => {
    fc.assert(
      fc.property(fc.oneof(anyIp, nearIp), (text) => {
        fc.pre(!text.includes('%'));
        expect(readAddress(text, words) !== 0).toBe(isIP(text) !== 0);
      }),
      { numRuns: 3_000 },
    );
  });

  it('reads the same address from every spelling', () => {
    for (const text of [
      '2001:db8::7',
      '2001:DB8:0:0:0:0:0:7',
      '2001:db8:0::7',
      '2001:db8::7%eth0',
      '2001:db8::0.0.0.7',
    ]) {
      expect([readAddress(text, words), ...words]).toEqual([6, 0x20010db8, 0, 0, 7]);
    }
    for (const text of ['192.0.2.7', '::ffff:192.0.2.7', '::FFFF:c000:207', '0:0:0:0:0:ffff:c000:0207']) {
      expect([readAddress(text, words), words[0]]).toEqual([4, 0xc0000207]);
    }
  });
});

describe('readNetwork', () => {
  it.each([
    ['10.0.0.0/33'],
    ['10.0.0.0/'],
    ['10.0.0.0/-1'],
    ['10.0.0.0/8/8'],
    ['::/129'],
    ['::ffff:10.0.0.0/95'],
    ['x'],
    ['fe80::1%a/64'],
  ])('refuses %s', (text) => {
    expect(readNetwork(text)).toBeUndefined();
  });

  it('holds what a list of Node’s holds', () => {
    const withBits = fc.oneof(
      fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })),
      fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 })),
    );
    fc.assert(
      fc.property(withBits, anyIp, ([ip, bits], other) => {
        // Node takes mapped addresses otherwise.
        fc.pre(!/^(0|:)/.test(ip) && !/^(0|:)/.test(other));
        const family = ip.includes(':') ? 'ipv6' : 'ipv4';
        const list = new BlockList();
        list.addSubnet(ip, bits, family);
        const network = readNetwork(`${ip}/${bits}`)!;
        for (const asked of [ip, other]) {
          const asFamily = asked.includes(':') ? 'ipv6' : 'ipv4';
          const expected = asFamily === family && list.check(asked, asFamily);
          expect(isIn(network, readAddress(asked, words), words)).toBe(expected);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

/** Few different bits, so that prefixes are within one another. */
const crowded = fc.oneof(
  fc
    .tuple(fc.array(fc.constantFrom(0, 1, 128, 129, 255), { minLength: 4, maxLength: 4 }))
    .map(([parts]) => parts.join('.')),
  fc
    .array(fc.constantFrom('0', '1', '8000', 'ffff'), { minLength: 8, maxLength: 8 })
    .map((parts) => parts.join(':')),
);
const crowdedNetwork = fc
  .tuple(crowded, fc.nat(128), fc.constantFrom(...VERDICTS))
  .map(([ip, bits, verdict]): [string, Verdict] => [`${ip}/${ip.includes(':') ? bits : bits % 33}`, verdict]);

describe('AddressList', () => {
  it('finds the longest network, as a look at each of them does', () => {
    fc.assert(
      fc.property(
        fc.array(crowdedNetwork, { maxLength: 60 }),
        fc.array(crowded, { maxLength: 20 }),
        (networks, asked) => {
          const list = new AddressList();
          const read = networks.flatMap(([text, verdict]) => {
            const isRead = list.add(text, verdict);
            const network = readNetwork(text);
            expect(isRead).toBe(network !== undefined);
            return network === undefined ? [] : [{ network, verdict }];
          });
          list.trim();
          for (const ip of [...asked, ...networks.map(([text]) => text.split('/')[0]!)]) {
            const family = readAddress(ip, words);
            const best = read
              .filter(({ network }) => isIn(network, family, words))
              .map(({ network, verdict }) => network.bits * 4 + VERDICTS.indexOf(verdict) + 1)
              .reduce((most, one) => Math.max(most, one), 0);
            expect(list.find(family, words)).toBe(best);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('knows nothing of what is no address', () => {
    const list = new AddressList();
    list.add('0.0.0.0/0', 'deny');
    list.add('::/0', 'deny');
    expect(list.find(readAddress('', words), words)).toBe(0);
    expect(verdictOf(list.find(readAddress('::', words), words))).toBe('deny');
  });

  it('holds 100,000 networks in a few megabytes', () => {
    const list = new AddressList();
    for (let i = 0; i < 100_000; i += 1)
      list.add(`10.${(i >> 12) & 255}.${(i >> 4) & 255}.${(i & 15) * 16}/28`, 'deny');
    expect(list.trim().size).toBe(100_000);
    expect(list.bytes).toBeLessThan(4 * 1024 * 1024);
    expect(verdictOf(list.find(readAddress('10.24.105.255', words), words))).toBe('deny');
    expect(list.find(readAddress('10.24.106.0', words), words)).toBe(0);
  });
});

describe('readListFile', () => {
  const read = (text: string) => readListFile(Buffer.from(text), 'list');

  it('reads verdicts, bare networks and comments', async () => {
    const list = await read(
      '# a list\r\nallow 10.0.0.0/8 ; ours\r\n\n198.51.100.0/24\n  pass\t2001:db8::/32',
    );
    const said = (ip: string) => verdictOf(list.find(readAddress(ip, words), words));
    expect(list.size).toBe(3);
    expect(['10.1.2.3', '198.51.100.7', '2001:db8::1', '192.0.2.1'].map(said)).toEqual([
      'allow',
      'deny',
      'pass',
      undefined,
    ]);
  });

  it('says each line that is wrong', async () => {
    await expect(
      read('10.0.0.0/8\nalow 10.0.0.0/9\n\n10.0.0.256\nallow 10.0.0.1 10.0.0.2'),
    ).rejects.toMatchObject({
      problems: [
        'list:2: expected allow, deny or pass, and one network; a network alone is refused',
        expect.stringMatching(/^list:4: expected an IP address or a network, .*, not "10\.0\.0\.256"$/),
        'list:5: expected allow, deny or pass, and one network; a network alone is refused',
      ],
    });
  });

  it('answers others meanwhile', async () => {
    let turns = 0;
    const count = setInterval(() => (turns += 1), 0);
    await read(Array.from({ length: 20_000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`).join('\n'));
    clearInterval(count);
    expect(turns).toBeGreaterThan(0);
  });
});
