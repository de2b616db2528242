import { sign, signingKey } from './signature.js';

/** The example that implementations of Standard Webhooks share. */
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const ID = 'msg_p5jXN8AQM9LWM0D4loKWxJek';
const BODY = '{"test": 2432232314}';

describe('the signature', () => {
  it('is that of Standard Webhooks', () => {
    expect(sign([signingKey(SECRET)], ID, 1_614_265_330_999, BODY)).toEqual({
      'webhook-id': ID,
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    });
  });

  it('is one for each secret, so that it can be changed', () => {
    const keys = ['the old secret of sixteen', SECRET].map(signingKey);
    const signatures = sign(keys, ID, 1_614_265_330_000, BODY)['webhook-signature'].split(' ');
    expect(signatures).toHaveLength(2);
    expect(signatures[1]).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
    expect(signatures[0]).not.toBe(signatures[1]);
  });

  it('refuses a secret that says it is base64 and is not', () => {
    expect(() => signingKey('whsec_short')).toThrow('base64');
  });
});
