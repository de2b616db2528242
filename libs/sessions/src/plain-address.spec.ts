import { plainAddress } from './plain-address.js';

describe('an address in one form', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['::FFFF:c000:0207', '192.0.2.7'],
    ['0:0:0:0:0:ffff:192.0.2.7', '192.0.2.7'],
    ['2001:0DB8:0000:0000:0000:0000:0000:0007', '2001:db8::7'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ])('%s is %s', (written, plain) => {
    expect(plainAddress(written)).toBe(plain);
    expect(plainAddress(plain)).toBe(plain);
  });

  it.each([
    '',
    'foo',
    'a:b',
    '1:2:3:4:5:6:7:8:9',
    '1::2::3',
    ':::',
    '12345::',
    '::ffff:300.0.0.1',
    '::1%eth0',
    '[::1]:80',
    '1:2:3:4:5:6:7::8:9',
  ])('%j, which is none, stays', (written) => {
    expect(plainAddress(written)).toBe(written);
  });
});
