/** Edges, channels and the length of a token, as a middle-sized operator has them. */
export const EDGES = Array.from({ length: 10 }, (_, i) => `astra-${i}`);
const CHANNELS = 500;
const TOKEN_LENGTH = 32;

/** The viewer's number is the token, so that the backend can name the user without looking anything up. */
export const tokenOf = (viewer: number): string => viewer.toString(16).padStart(TOKEN_LENGTH, '0');

/** The request that an Astra makes when viewer number so and so starts to play: each has a session, address and user. */
export function checkOf(viewer: number): string {
  const channel = `ch${viewer % CHANNELS}`;
  const ip = `10.${(viewer >> 16) & 255}.${(viewer >> 8) & 255}.${viewer & 255}`;
  return (
    `GET /e/${EDGES[viewer % EDGES.length]}/check?token=${tokenOf(viewer)} HTTP/1.1\r\n` +
    `Host: usher.example.com:1064\r\n` +
    `X-Session-ID: ${viewer}\r\n` +
    `X-Channel-ID: ${channel}\r\n` +
    `X-Real-IP: ${ip}\r\n` +
    `X-Real-Path: /play/${channel}/index.m3u8\r\n` +
    `X-Real-UA: VLC/3.0.20 LibVLC/3.0.20\r\n` +
    `X-Real-Host: live.example.com\r\n` +
    `\r\n`
  );
}

/** The request that the same viewer's player makes itself. */
export function viewerRequest(viewer: number): string {
  return (
    `GET /live/ch${viewer % CHANNELS}/index.m3u8?token=${tokenOf(viewer)} HTTP/1.1\r\n` +
    `Host: live.example.com\r\n` +
    `User-Agent: VLC/3.0.20 LibVLC/3.0.20\r\n` +
    `\r\n`
  );
}
