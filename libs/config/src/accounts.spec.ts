import { parseAccount } from './accounts.js';

const SALT = Buffer.alloc(16, 1).toString('base64').replace(/=+$/, '');
const KEY = Buffer.alloc(32, 2).toString('base64').replace(/=+$/, '');

describe('parseAccount', () => {
  it('reads a password’s hash, with and without a cap', () => {
    const account = parseAccount(`ann:$scrypt$ln=14,r=8,p=1$${SALT}$${KEY}`);
    expect(account).toEqual({
      name: 'ann',
      hash: { kind: 'scrypt', ln: 14, r: 8, p: 1, salt: Buffer.alloc(16, 1), key: Buffer.alloc(32, 2) },
    });
    expect(parseAccount(` ann:$scrypt$ln=14,r=8,p=1$${SALT}$${KEY}  max=2 `).maxSessions).toBe(2);
  });

  it('reads a static token’s digest, whatever letters the name has', () => {
    const account = parseAccount(`бокс-17:$sha256$${KEY}=`);
    expect(account).toEqual({ name: 'бокс-17', hash: { kind: 'sha256', digest: Buffer.alloc(32, 2) } });
  });

  it.each([
    ['', /a name of 1 to 64 characters/],
    ['ann', /a name of 1 to 64 characters/],
    [`${'a'.repeat(65)}:$sha256$${KEY}`, /a name of 1 to 64 characters/],
    ['ann:secret', /^a hash/],
    [`ann:$sha256$${KEY}$${KEY}`, /^a hash/],
    [`ann:$sha256$${SALT}`, /the digest of 32 bytes/],
    [`ann:$scrypt$ln=9,r=8,p=1$${SALT}$${KEY}`, /ln of 10 to 17, not 9/],
    [`ann:$scrypt$ln=18,r=8,p=1$${SALT}$${KEY}`, /ln of 10 to 17, not 18/],
    [`ann:$scrypt$ln=14,r=17,p=1$${SALT}$${KEY}`, /r of 1 to 16, not 17/],
    [`ann:$scrypt$ln=14,r=8,p=0$${SALT}$${KEY}`, /p of 1 to 4, not 0/],
    [`ann:$scrypt$ln=17,r=16,p=1$${SALT}$${KEY}`, /no more than 128 MiB/],
    [`ann:$scrypt$ln=14$${SALT}$${KEY}`, /ln=…,r=…,p=…/],
    [`ann:$scrypt$ln=14,r=8,p=1$YQ$${KEY}`, /the salt of 8 to 64 bytes/],
    [`ann:$scrypt$ln=14,r=8,p=1$${SALT}$YQ`, /the key of 16 to 64 bytes/],
    [`ann:$sha256$${KEY} max=0`, /nothing, or max=1 to max=250/],
    [`ann:$sha256$${KEY} max=2 min=1`, /nothing, or max=1 to max=250/],
  ])('refuses %s in words', (line, expected) => {
    expect(() => parseAccount(line)).toThrow(expected);
  });

  it('says nothing of the hash', () => {
    for (const line of ['ann:hunter2', `ann:$scrypt$ln=1,r=8,p=1$hunter2$${KEY}`]) {
      expect(() => parseAccount(line)).toThrow(expect.not.objectContaining({ message: /hunter2/ }));
    }
  });
});
