import { asked } from '../for-tests.js';
import { CountriesRule } from './countries-rule.js';
import { CountryDatabase } from './country-database.js';
import { mmdb } from './for-tests.js';

const country = (iso: string) => ({
  country: { iso_code: iso, names: { en: iso } },
  registered_country: { iso_code: 'XX' },
});
const FILE = mmdb({
  '81.2.69.0/24': country('GB'),
  '192.0.2.0/24': country('DE'),
  '198.51.100.0/25': { registered_country: { iso_code: 'US' } },
  '2001:db8::/32': country('AT'),
});

describe('CountryDatabase', () => {
  const database = new CountryDatabase(FILE, 'db');

  it('knows the country of an address, however it is written', () => {
    for (const ip of ['192.0.2.7', '::ffff:192.0.2.7', '::ffff:c000:207']) expect(database.of(ip)).toBe('DE');
    for (const ip of ['2001:db8::7', '2001:DB8:0::7%eth0']) expect(database.of(ip)).toBe('AT');
  });

  it('does not know all of them', () => {
    for (const ip of ['10.0.0.1', '198.51.100.1', '2001:db9::', '', 'garbage', '999.1.1.1']) {
      expect(database.of(ip)).toBeUndefined();
    }
  });

  it('reads what other makers write', () => {
    const flat = mmdb({
      '192.0.2.0/24': { country: 'DE' },
      '198.51.100.0/24': { country_code: 'AT', country: 'Austria' },
    });
    expect(new CountryDatabase(flat, 'db').of('192.0.2.1')).toBe('DE');
    expect(new CountryDatabase(flat, 'db').of('198.51.100.1')).toBe('AT');
  });

  it('of IPv4 alone knows nothing of IPv6', () => {
    const only = new CountryDatabase(
      mmdb({ '192.0.2.0/24': country('DE'), '32.1.13.184': country('AT') }, { ipVersion: 4 }),
      'db',
    );
    // The first bits of both are the same.
    expect(only.of('32.1.13.184')).toBe('AT');
    expect([only.of('192.0.2.1'), only.of('2001:db8::1')]).toEqual(['DE', undefined]);
  });

  it.each([
    ['empty', Buffer.alloc(0)],
    ['text', Buffer.from('192.0.2.0/24 DE\n'.repeat(50))],
    ['without its end', FILE.subarray(0, FILE.length - 200)],
    ['without its start', FILE.subarray(400)],
  ])('refuses a file that is %s', (_, bytes) => {
    expect(() => new CountryDatabase(bytes, 'db')).toThrow(/^db: this is no MMDB file that can be read/);
  });

  it('refuses one that has no countries', () => {
    const asn = mmdb({ '192.0.2.0/24': { autonomous_system_number: 64_496 } }, { type: 'GeoLite2-ASN' });
    expect(() => new CountryDatabase(asn, 'db')).toThrow('this one is "GeoLite2-ASN"');
  });
});

describe('countries', () => {
  const current = new CountryDatabase(FILE, 'db');
  const from = (config: { allow?: string[]; deny?: string[]; unknown?: 'pass' | 'deny' }, ip: string) =>
    new CountriesRule({ allow: [], deny: [], unknown: 'pass', ...config }, { current }).look(asked({ ip }));
  const REFUSED = { kind: 'deny', rule: 'countries', reason: 'rule-country-denied' };
  const PASSED = { kind: 'pass' };

  it('refuse those denied, and with allow all others', () => {
    expect(from({ deny: ['DE'] }, '192.0.2.7')).toEqual(REFUSED);
    expect(from({ deny: ['DE'] }, '81.2.69.1')).toEqual(PASSED);
    expect(from({ allow: ['DE'] }, '192.0.2.7')).toEqual(PASSED);
    expect(from({ allow: ['DE'] }, '81.2.69.1')).toEqual(REFUSED);
    expect(from({ allow: ['DE'], deny: ['DE'] }, '192.0.2.7')).toEqual(REFUSED);
  });

  it('do as told with addresses that nobody knows', () => {
    expect(from({ allow: ['DE'] }, '10.0.0.1')).toEqual(PASSED);
    expect(from({ allow: ['DE'], unknown: 'deny' }, '10.0.0.1')).toEqual(REFUSED);
  });
});
