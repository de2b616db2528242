import { join } from 'node:path';
import { run, type Running } from './programs.js';

/** So many pictures lie in a playlist at most: whoever saw more has asked for it again. */
export const IN_PLAYLIST = 20;

/** Sends a live picture as HLS into a folder, ten a second, until it is stopped. */
export function sendHls(folder: string): Running {
  return run(
    'ffmpeg -v error -re -f lavfi -i testsrc=size=64x64:rate=10 -c:v mpeg2video -g 5 -f hls -hls_time 0.5 -hls_list_size 4 -hls_flags delete_segments+temp_file {}',
    join(folder, 'index.m3u8'),
  );
}

/** Somebody who plays what is at an address, until it is refused or he is stopped. */
export interface LivePlayer extends Running {
  /** Pictures that he saw so far. */
  readonly frames: number;
}

/** Plays as a real player does; `name` is what it calls itself. */
export function playHls(url: string, name: string): LivePlayer {
  const player = run(
    `ffmpeg -v warning -progress pipe:1 -stats_period 0.2 -user_agent ${name} -i {} -f null -`,
    url,
  );
  return Object.defineProperty(player, 'frames', {
    get: () => {
      const said = player.output();
      return Number(/^frame=(\d+)/.exec(said.slice(said.lastIndexOf('frame=')))?.[1] ?? 0);
    },
  }) as LivePlayer;
}
