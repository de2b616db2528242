import { z } from 'zod';
import { durationOf } from './units.js';

/** 0: it is not counted. */
const most = (count: number) => z.int().min(0).max(400).default(count);

/** What is peculiar enough to hold somebody: each within its window (docs/protection.md). */
export const protectionSchema = z.strictObject({
  mode: z
    .enum(['off', 'observe', 'enforce'])
    .default('observe')
    .describe('observe: nobody is held, and it is told who would have been.'),
  holdFor: durationOf(10_000).default(900_000).describe('Whoever passed a limit is held for so long.'),
  deniedTokens: most(40).describe('Different tokens refused from one address in 10 min.'),
  deniedDevices: most(25).describe('Different devices (`device`, a MAC) refused from one address in 10 min.'),
  deniedAttempts: most(100).describe('Refusals of one token in 10 min.'),
  networksPerToken: most(5).describe('Networks from which one token is allowed in an hour.'),
  networksPerUser: most(12).describe('Networks from which one user is allowed in an hour.'),
  devicesPerUser: most(20).describe('Devices, or else addresses and players, of one user in an hour.'),
  channelsPerUser: most(300).describe('Channels that one user is allowed in an hour.'),
  usersPerAddress: z
    .int()
    .min(1)
    .max(400)
    .default(20)
    .describe('An address behind which more users were seen in an hour is never held: it is a network.'),
});
