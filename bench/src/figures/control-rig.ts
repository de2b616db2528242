import { setTimeout as delay } from 'node:timers/promises';
import { operatorOf, type Operator } from '../processes/operators.js';
import { startUsher, type UsherOptions, type UsherProcess } from '../processes/usher.js';

/** Control with an operator at its door, and gateways with one worker, if any. */
export interface ControlRig {
  readonly gateways: readonly UsherProcess[];
  readonly control: UsherProcess;
  readonly operator: Operator;
  stop(): Promise<void>;
}

/** Starts them one after the other, each waited for. */
export async function startControlRig(count: number, options: UsherOptions): Promise<ControlRig> {
  const started: UsherProcess[] = [];
  const start = async (role: 'gateway' | 'worker' | 'control'): Promise<UsherProcess> => {
    const process = await startUsher(role, options);
    started.push(process);
    return process;
  };
  const stop = async (): Promise<void> => {
    await Promise.all(started.map((process) => process.stop()));
  };
  try {
    if (count > 0) await start('worker');
    const gateways: UsherProcess[] = [];
    for (let i = 0; i < count; i += 1) gateways.push(await start('gateway'));
    const control = await start('control');
    for (const gateway of gateways) while ((await gateway.problems()).length > 0) await delay(100);
    const operator = await operatorOf(control);
    return {
      gateways,
      control,
      operator,
      stop: async () => {
        operator.leave();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
