import { loadConfig } from '#config';
import { Database, PlatformKeys, SecretBox } from '#database';
import { type JsonOption, printResult } from './command-line/output.js';

/** `carillon rotate-token-key`. docs/secrets.md explains when to use which option. */
export async function rotateTokenKey(options: JsonOption & { endTokens?: boolean }): Promise<void> {
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
    const endTokens = options.endTokens ?? false;
    const keyId = await keys.rotateInboxKey(endTokens);
    printResult(
      options,
      { key_id: keyId, tokens_ended: endTokens },
      () =>
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
