import { createHmac } from 'node:crypto';
import type { EdgeRequest } from '#usher/dialects';

/** Of OvenMediaEngine. */
export const OME_SECRET = '1234';

/** A dialect as one edge speaks it. */
export interface Spoken {
  readonly dialect: 'astra' | 'alta' | 'flussonic' | 'forward' | 'mediamtx' | 'srs' | 'ome' | 'nginx-rtmp';
  /** Settings of the edge. */
  readonly edge?: Readonly<Record<string, unknown>>;
  /** What it asks about a viewer with this token: as the first request of the dialect's contract test. */
  readonly asks: (token: string) => EdgeRequest;
}

const request = (part: Partial<EdgeRequest>): EdgeRequest => ({
  method: 'GET',
  path: '',
  query: '',
  headers: {},
  body: Buffer.alloc(0),
  remoteAddress: '10.0.0.21',
  ...part,
});
const posted = (body: unknown): EdgeRequest =>
  request({ method: 'POST', body: Buffer.from(JSON.stringify(body)) });
const signed = (asked: EdgeRequest): EdgeRequest => ({
  ...asked,
  headers: {
    'x-ome-signature': createHmac('sha1', OME_SECRET).update(asked.body).digest('base64url'),
  },
});

/** By the name of its figure. */
export const SPOKEN: Readonly<Record<string, Spoken>> = {
  Astra: {
    dialect: 'astra',
    asks: (token) =>
      request({
        query: `token=${token}`,
        headers: {
          'x-session-id': '42',
          'x-channel-id': 'a001',
          'x-real-ip': '192.0.2.7',
          'x-real-path': '/play/a001/index.m3u8',
          'x-real-ua': 'VLC/3',
          'x-real-host': 'live.example.com',
        },
      }),
  },
  Alta: {
    dialect: 'alta',
    asks: (token) =>
      request({
        query: `token=${token}`,
        headers: {
          'x-session-id': '42',
          'x-real-ip': '192.0.2.7',
          'x-real-path': '/play/a001/index.m3u8',
          'x-real-ua': 'VLC/3',
          'x-real-origin': 'http://live.example.com',
        },
      }),
  },
  Flussonic: {
    dialect: 'flussonic',
    asks: (token) =>
      request({
        query:
          'name=cnn&proto=hls&ip=10.77.0.150&request_type=new_session&request_number=0' +
          '&session_id=6217fd62-16da-4206-9da9-0173d7552a14&stream_clients=1&total_clients=2' +
          `&token=${token}&qs=token%3D${token}&user_agent=curl%2F7.68.0&host=edge1&dvr=false`,
      }),
  },
  ForwardNginx: {
    dialect: 'forward',
    asks: (token) =>
      request({
        headers: {
          'x-original-uri': `/live/sport/seg-1.ts?token=${token}`,
          'x-original-method': 'GET',
          'x-original-host': 'live.example.com',
          'x-real-ip': '192.0.2.7',
          'user-agent': 'VLC/3',
        },
      }),
  },
  ForwardTraefik: {
    dialect: 'forward',
    edge: { forward: { proxy: 'traefik' } },
    asks: (token) =>
      request({
        headers: {
          'x-forwarded-method': 'GET',
          'x-forwarded-proto': 'https',
          'x-forwarded-host': 'live.example.com',
          'x-forwarded-uri': `/live/sport/seg-1.ts?token=${token}`,
          'x-forwarded-for': '192.0.2.7',
          'user-agent': 'VLC/3',
        },
      }),
  },
  ForwardEnvoy: {
    dialect: 'forward',
    edge: { forward: { proxy: 'envoy' } },
    asks: (token) =>
      request({
        path: '/live/sport/seg-1.ts',
        query: `token=${token}`,
        headers: { host: 'live.example.com', 'x-forwarded-for': '192.0.2.7', 'user-agent': 'VLC/3' },
      }),
  },
  Mediamtx: {
    dialect: 'mediamtx',
    asks: (token) =>
      posted({
        ip: '192.0.2.7',
        user: '',
        password: '',
        token: '',
        action: 'read',
        path: 'cam1',
        protocol: 'hls',
        id: '7b0d5f3e-2c1a-4c56-9a77-1f2e3d4c5b6a',
        query: `token=${token}&x=1`,
        userAgent: 'VLC/3',
      }),
  },
  Srs: {
    dialect: 'srs',
    asks: (token) =>
      posted({
        server_id: 'vid-0xk989d',
        service_id: '382a',
        action: 'on_play',
        client_id: '341w361a',
        ip: '192.0.2.7',
        vhost: '__defaultVhost__',
        app: 'live',
        stream: 'livestream',
        tcUrl: 'rtmp://live.example.com/live',
        param: `?token=${token}`,
        pageUrl: '',
        stream_url: '/live/livestream',
        stream_id: 'vid-124q9y3',
      }),
  },
  Ome: {
    dialect: 'ome',
    edge: { ome: { secret: OME_SECRET } },
    asks: (token) =>
      signed(
        posted({
          client: { address: '10.0.0.5', port: 29291, real_ip: '192.0.2.43', user_agent: 'VLC/3' },
          request: {
            direction: 'outgoing',
            protocol: 'llhls',
            status: 'opening',
            url: `https://live.example.com:3334/app/stream/llhls.m3u8?token=${token}`,
            time: '2021-05-12T13:45:00.000Z',
          },
        }),
      ),
  },
  NginxRtmp: {
    dialect: 'nginx-rtmp',
    asks: (token) =>
      request({
        method: 'POST',
        body: Buffer.from(
          'app=live&flashver=LNX%209,0,124,2&swfurl=&tcurl=rtmp://live.example.com:1935/live&pageurl=' +
            '&addr=192.0.2.7&clientid=4&call=play&name=cam1&start=4294965296&duration=0&reset=0' +
            `&token=${token}`,
        ),
      }),
  },
};
