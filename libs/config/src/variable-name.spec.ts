import fc from 'fast-check';
import { decodeName, encodeName } from './variable-name.js';

const NAME = fc.stringMatching(/^[A-Za-z0-9._@-]{1,64}$/);

describe('the name of an edge, backend or group in a variable', () => {
  it.each([
    ['portal', 'PORTAL'],
    ['astra-1', 'ASTRA_1'],
    ['tv.example', 'TV_x2EEXAMPLE'],
    ['a_b', 'A_x5FB'],
    ['a@b', 'A_x40B'],
    ['Portal', '_x50ORTAL'],
    ['a--b', 'A_x2D_x2DB'],
    ['a-', 'A_x2D'],
  ])('%s is written %s', (name, written) => {
    expect(encodeName(name)).toBe(written);
    expect(decodeName(written)).toBe(name);
  });

  it('is read back from its writing, whatever it is', () => {
    fc.assert(fc.property(NAME, (name) => decodeName(encodeName(name)) === name));
  });

  it('has only letters, digits and single underscores', () => {
    fc.assert(
      fc.property(
        NAME,
        (name) => /^[A-Za-z0-9_]+$/.test(encodeName(name)) && !encodeName(name).includes('__'),
      ),
    );
  });

  it('has one writing: any other text is none', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Ca-cx0-9_]{0,8}$/), (written) => {
        const name = decodeName(written);
        return name === undefined || encodeName(name) === written;
      }),
    );
    for (const written of ['portal', '', 'A__B', '_A', 'A_', '_x61', 'A_x2d']) {
      expect(decodeName(written)).toBeUndefined();
    }
  });
});
