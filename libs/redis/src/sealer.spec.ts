import fc from 'fast-check';
import { createSealer } from './sealer.js';

const old = 'an old secret of the operator';
const fresh = 'a fresh secret of the operator';
const sealer = createSealer([fresh, old]);

describe('createSealer', () => {
  it('opens what it sealed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (text, context) => {
        expect(sealer.open(sealer.seal(text, context), context)).toBe(text);
      }),
    );
  });

  it('opens nothing in another context', () => {
    const sealed = sealer.seal('token=123', 'usher:session:{07}:astra-1:42');
    expect(sealer.open(sealed, 'usher:session:{07}:astra-1:43')).toBeUndefined();
    expect(sealer.open(sealed, '')).toBeUndefined();
  });

  it('opens nothing that was changed, in any byte', () => {
    const sealed = Buffer.from(sealer.seal('token=123', 'context'), 'base64url');
    for (let at = 0; at < sealed.length; at += 1) {
      const changed = Buffer.from(sealed);
      changed[at]! ^= 1;
      expect(sealer.open(changed.toString('base64url'), 'context')).toBeUndefined();
    }
  });

  it('opens nothing that was cut, lengthened or made up', () => {
    const sealed = sealer.seal('token=123', 'context');
    for (let length = 0; length < sealed.length; length += 1) {
      expect(sealer.open(sealed.slice(0, length), 'context')).toBeUndefined();
    }
    for (const text of [`${sealed}A`, ` ${sealed}`, `${sealed}=`, sealed.toLowerCase()]) {
      expect(sealer.open(text, 'context')).toBeUndefined();
    }
    fc.assert(fc.property(fc.string(), (text) => sealer.open(text, 'context') === undefined));
  });

  it('never seals one text twice alike, and shows nothing of it', () => {
    const sealed = Array.from({ length: 1_000 }, () => sealer.seal('token=123', 'context'));
    // Nonces: the 12 bytes after version and key id.
    const nonces = sealed.map((text) => Buffer.from(text, 'base64url').toString('hex', 2, 14));
    expect(new Set(nonces).size).toBe(1_000);
    expect(sealed[0]).toMatch(/^[A-Za-z0-9_-]+$/);
    expect(Buffer.from(sealed[0]!, 'base64url').toString('latin1')).not.toContain('token');
  });

  it('goes on opening what an older secret sealed, until that is taken away', () => {
    const sealed = createSealer([old]).seal('token=123', 'context');
    expect(sealer.open(sealed, 'context')).toBe('token=123');
    expect(createSealer([fresh]).open(sealed, 'context')).toBeUndefined();
    expect(createSealer([old]).open(sealer.seal('token=123', 'context'), 'context')).toBeUndefined();
  });

  it('refuses to start without a secret, or with a short one', () => {
    expect(() => createSealer([])).toThrow('at least one');
    expect(() => createSealer(['short'])).toThrow('16 characters');
  });
});
