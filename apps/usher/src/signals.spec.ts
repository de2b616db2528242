import { EventEmitter } from 'node:events';
import { untilSignal } from './signals.js';

function aProcess() {
  const exits: number[] = [];
  const target = Object.assign(new EventEmitter(), { exit: (code: number) => exits.push(code) });
  return { target: target as unknown as NodeJS.Process, exits };
}

describe('untilSignal', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('ends at a %s', async (signal) => {
    const { target, exits } = aProcess();
    const asked = untilSignal(target, () => 0);
    (target as NodeJS.EventEmitter).emit(signal);
    await asked;
    expect(exits).toEqual([]);
  });

  it('takes the echo of one Ctrl-C for the same, and a later signal for “at once”', async () => {
    const { target, exits } = aProcess();
    let now = 0;
    const asked = untilSignal(target, () => now);
    target.emit('SIGINT', 'SIGINT');
    now = 20;
    target.emit('SIGINT', 'SIGINT');
    await asked;
    expect(exits).toEqual([]);
    now = 1_500;
    target.emit('SIGINT', 'SIGINT');
    expect(exits).toEqual([1]);
  });
});
