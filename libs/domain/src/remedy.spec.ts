import { REASONS } from './reason.js';
import { REMEDIES, remedyOf } from './remedy.js';

describe('what to do', () => {
  it('is said for every reason, in whole sentences', () => {
    expect(Object.keys(REMEDIES).sort()).toEqual(Object.keys(REASONS).sort());
    for (const sentence of Object.values(REMEDIES)) expect(sentence).toMatch(/^[A-Z].*[.?]$/);
  });

  it('is not known for what another version wrote', () => {
    expect(remedyOf('constructor')).toMatch(/Another version/);
  });
});
