import { ManualClock } from '#usher/testing';
import { allow, deny } from '../test/ladder-world.js';
import { SharedAnswers } from './shared-answers.js';

function sharing() {
  const clock = new ManualClock();
  return { clock, shared: new SharedAnswers(clock, { allow: 30_000, deny: 10_000 }, 100) };
}

it('long questions fill no memory: fewer of them are kept', () => {
  const { shared } = sharing();
  const kept = (question: (i: number) => string): number => {
    const questions = Array.from({ length: 100 }, (_, i) => question(i));
    for (const one of questions) shared.keep(one, deny(), 'once');
    return questions.filter((one) => shared.find(one) !== undefined).length;
  };
  expect(kept((i) => `short ${i}`)).toBe(100);
  expect(kept((i) => `${i}`.padEnd(16_384, 'x'))).toBeLessThan(10);
});

describe('an answer that is shared', () => {
  it('grants no more time than is left of it', () => {
    const { clock, shared } = sharing();
    shared.keep('question', allow({ authDuration: 3_600 }), 'reusable');
    clock.advance(3_000_000);
    expect(shared.find('question')).toMatchObject({ kind: 'allow', authDuration: 600 });
    clock.advance(600_000);
    expect(shared.find('question')).toBeUndefined();
  });

  it('is no longer one when the right to watch has ended', () => {
    const { clock, shared } = sharing();
    shared.keep('question', allow({ until: clock.now() + 5_000 }), 'reusable');
    clock.advance(4_999);
    expect(shared.find('question')).toMatchObject({ kind: 'allow' });
    clock.advance(1);
    expect(shared.find('question')).toBeUndefined();
  });

  it.each([
    ['a denial that some are excepted from', deny({ reason: 'group-partial', unlessKnownAt: ['portal'] })],
    ['a denial of a group of whom not all could be asked', deny({ reason: 'group-partial' })],
  ])('is never %s', (_, answer) => {
    const { shared } = sharing();
    shared.keep('question', answer, 'once');
    expect(shared.find('question')).toBeUndefined();
  });
});
