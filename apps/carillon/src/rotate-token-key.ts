// npm run rotate-token-key                  a new key signs recipient tokens; tokens under older keys stay valid until
//                                           they expire
// npm run rotate-token-key -- --end-tokens  ends them within 30 seconds
//
// docs/secrets.md explains when to use which.

import { ConfigError, loadConfig } from '#config';
import { Database, PlatformKeys, SecretBox, WrongMasterKey } from '#database';

async function run(): Promise<void> {
  const config = loadConfig();
  const database = new Database({
    url: config.databaseUrl,
    logins: config.databaseLogins,
    poolSize: 1,
    applicationName: 'carillon-rotate-token-key',
  });
  try {
    const keys = new PlatformKeys(database, new SecretBox(config.masterKey, config.previousMasterKeys));
    await keys.prepare();
    const endTokens = process.argv.includes('--end-tokens');
    const keyId = await keys.rotateInboxKey(endTokens);
    console.log(
      `Recipient tokens are signed with the new key ${keyId}. ` +
        (endTokens
          ? 'All earlier tokens are refused within 30 seconds. Open streams last until their tokens expire; restart ' +
            'the APIs to close them.'
          : 'Tokens that were made before stay valid until they expire, for an hour at most.'),
    );
  } finally {
    await database.close();
  }
}

try {
  await run();
} catch (error) {
  console.error(error instanceof ConfigError || error instanceof WrongMasterKey ? error.message : error);
  process.exit(1);
}
