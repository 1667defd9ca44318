// oidc-provider, a certified OAuth server, behind TLS; and an API that takes the
// tokens which it has issued, as long as they hold.
//
// What it was asked and what it thought of it is told at /stats.

import { readFileSync } from 'node:fs';
import { createServer, request as httpsRequest } from 'node:https';
import { pathToFileURL } from 'node:url';

const { MODULES, CERTIFICATE, CERTIFICATE_KEY, CLIENTS, LIFE } = process.env;
const library = pathToFileURL(`${MODULES}/oidc-provider/lib/index.js`);
const { default: Provider } = await import(library);

const server = createServer({
  cert: readFileSync(CERTIFICATE),
  key: readFileSync(CERTIFICATE_KEY),
});
await new Promise((ready) => { server.listen(0, '127.0.0.1', ready); });
const { port } = server.address();

const life = Number(LIFE);
const provider = new Provider(`https://localhost:${port}`, {
  clients: JSON.parse(CLIENTS),
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'none'],
  scopes: ['openid', 'offline_access', 'orders.read'],
  ttl: { AccessToken: life, ClientCredentials: life },
  rotateRefreshToken: true,
  conformIdTokenClaims: false,
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
  },
  findAccount: (_, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
});

const stats = { granted: {}, refused: [], revoked: 0, late: 0, calls: 0 };
provider.on('grant.success', (ctx) => {
  const { clientId } = ctx.oidc.client;
  stats.granted[clientId] = (stats.granted[clientId] ?? 0) + 1;
});
// The description says what the code keeps from strangers.
provider.on('grant.error', (_, error) => {
  stats.refused.push(`${error.error}: ${error.error_detail ?? error.error_description}`);
});
provider.on('grant.revoked', () => { stats.revoked += 1; });

// As somebody has obtained it in a browser.
async function seed(clientId) {
  const client = await provider.Client.find(clientId);
  const grant = new provider.Grant({ accountId: 'ann', clientId });
  grant.addOIDCScope('openid offline_access');
  const refreshToken = new provider.RefreshToken({
    accountId: 'ann',
    client,
    grantId: await grant.save(),
    gty: 'authorization_code',
    scope: 'openid offline_access',
  });
  return refreshToken.save();
}

const ended = new Map();
for (const kind of ['access_token', 'client_credentials']) {
  provider.on(`${kind}.saved`, (token) => { ended.set(token.jti, token.exp); });
}

async function call(authorization) {
  stats.calls += 1;
  const value = authorization?.replace(/^Bearer /u, '');
  const token = await provider.AccessToken.find(value)
    ?? await provider.ClientCredentials.find(value);
  if (token && !token.isExpired) {
    return [200, { client: token.clientId, scope: token.scope }];
  }
  if (ended.get(value) <= Date.now() / 1000) stats.late += 1;
  return [401, { error: 'invalid_token' }];
}

// What somebody does who has stolen a client's secret and its first refresh token.
function steal(query) {
  const client = JSON.parse(CLIENTS).find((each) => each.client_id === query.get('client'));
  const basic = [client.client_id, client.client_secret].map(encodeURIComponent).join(':');
  const options = {
    host: '127.0.0.1',
    port,
    path: '/token',
    method: 'POST',
    rejectUnauthorized: false,
    headers: {
      authorization: `Basic ${Buffer.from(basic).toString('base64')}`,
      'content-type': 'application/x-www-form-urlencoded',
    },
  };
  const form = { grant_type: 'refresh_token', refresh_token: query.get('token') };
  return new Promise((told) => {
    const sent = httpsRequest(options, (answer) => {
      answer.resume().on('end', () => told([200, { status: answer.statusCode }]));
    });
    sent.end(new URLSearchParams(form).toString());
  });
}

const callback = provider.callback();
server.on('request', async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'https://localhost');
  let answer;
  if (pathname === '/stats') answer = [200, stats];
  else if (pathname === '/seed') answer = [200, { token: await seed(searchParams.get('client')) }];
  else if (pathname === '/steal') answer = await steal(searchParams);
  else if (pathname.startsWith('/api/')) answer = await call(request.headers.authorization);
  else {
    callback(request, response);
    return;
  }
  const [status, body] = answer;
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': text.length });
  response.end(text);
});

console.log('port', port);
