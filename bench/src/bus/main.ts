/** One side of one kind: `main.js serve|ask <kind> <redis port> [seconds] [warm]`. */
import { bareLoop } from './bare-loop.js';
import { connectTo } from './connect.js';
import { drive } from './drive.js';
import type { Kind } from './kind.js';
import { throughBus } from './through-bus.js';
import { throughNest } from './through-nest.js';

const KINDS: Readonly<Record<string, Kind>> = { bare: bareLoop, bus: throughBus, nest: throughNest };

const [side, name = '', port, seconds, warm] = process.argv.slice(2);
const kind = KINDS[name]!;
const connect = connectTo(Number(port));
process.on('disconnect', () => process.exit());
if (side === 'serve') {
  await kind.serve(connect);
  process.send?.('serving');
} else {
  process.send?.(await drive(await kind.asker(connect), Number(seconds), Number(warm)));
}
