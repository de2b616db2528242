import { WaitingAnswers } from './waiting-answers.js';
import type { NotableKind } from './why-record.js';
import type { Outgoing } from './why-store.js';

const outgoing = (id: string, kind?: NotableKind): Outgoing =>
  ({ record: { id }, concerned: { ip: '192.0.2.1', namespace: '', user: '' }, kind }) as Outgoing;

/** In turn; `plain` stands for no kind. */
function fill(max: number, ids: readonly string[]): { waiting: WaitingAnswers; dropped: number } {
  const waiting = new WaitingAnswers(max);
  const room = ids.map((id) => {
    const kind = id.split('-')[0]!;
    return waiting.add(outgoing(id, kind === 'plain' ? undefined : (kind as NotableKind)));
  });
  return { waiting, dropped: room.filter((one) => !one).length };
}
const idsOf = (taken: readonly Outgoing[]): string[] => taken.map(({ record }) => record.id);

describe('WaitingAnswers', () => {
  it('gives out the oldest first, of all kinds', () => {
    const { waiting } = fill(9, ['denied-1', 'plain-1', 'unavailable-1', 'refused-1']);
    expect(idsOf(waiting.take(3))).toEqual(['denied-1', 'plain-1', 'unavailable-1']);
    expect(idsOf(waiting.take(3))).toEqual(['refused-1']);
    expect(waiting.size).toBe(0);
  });

  it('makes room by what is plain, then by the oldest of the kind that most are of', () => {
    const { waiting, dropped } = fill(4, [
      'denied-1',
      'plain-1',
      'unavailable-1',
      'unavailable-2',
      'plain-2',
      'unavailable-3',
      'refused-1',
      'unavailable-4',
    ]);
    expect(dropped).toBe(4);
    expect(idsOf(waiting.take(9))).toEqual(['denied-1', 'unavailable-3', 'refused-1', 'unavailable-4']);
  });

  it('counts only what still waits', () => {
    const { waiting } = fill(3, ['denied-1', 'denied-2', 'denied-3']);
    waiting.take(2);
    for (const n of [1, 2, 3]) waiting.add(outgoing(`unavailable-${n}`, 'unavailable'));
    expect(idsOf(waiting.take(9))).toEqual(['denied-3', 'unavailable-2', 'unavailable-3']);
  });
});
