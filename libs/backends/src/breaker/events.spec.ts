import fc from 'fast-check';
import { readBreakerEvent } from './events.js';
import { UNWRITTEN } from './record.js';

describe('a breaker’s event', () => {
  it('is read back as it was sent', () => {
    const changed = { kind: 'breaker.changed', backend: 'portal', record: UNWRITTEN };
    expect(readBreakerEvent(JSON.parse(JSON.stringify(changed)))).toEqual(changed);
    const asked = { kind: 'breaker.second-opinion', backend: 'p', from: 'a', to: 'b', check: 'x', until: 1 };
    expect(readBreakerEvent(asked)).toEqual(asked);
  });

  it('is passed over where another version says what this one does not know', () => {
    const record = { ...UNWRITTEN, state: 'dozing' };
    expect(readBreakerEvent({ kind: 'breaker.changed', backend: 'portal', record })).toBeUndefined();
    expect(readBreakerEvent({ kind: 'breaker.mended', backend: 'portal' })).toBeUndefined();
    expect(readBreakerEvent({ kind: 'breaker.opinion', backend: 'portal' })).toBeUndefined();
  });

  it('is never made of anything else', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (data) => {
        expect(readBreakerEvent(data)).toBeUndefined();
      }),
    );
  });
});
