import type { Database } from '../database.js';
import { migrationsDifference } from '../migrate.js';
import { countSealed } from '../secrets/rewrap-secrets.js';
import type { SecretBox } from '../secrets/secret-box.js';
import { LOW_HORIZON_DAYS, PartitionsStore } from '../stores/clean-up/partitions.store.js';
import { type Check, Findings } from './check.js';

const PROBLEMS = {
  migration_pending: {
    severity: 'error',
    meaning: 'The database does not have a migration of this release. APIs and workers of this release wait for it.',
    advice: 'Run `carillon migrate`. No other check ran.',
  },
  migration_edited: {
    severity: 'error',
    meaning: 'A migration was edited after it had been applied.',
    advice: 'Install the release that this database belongs to, or restore the file under prisma/migrations.',
  },
  migration_failed: {
    severity: 'error',
    meaning: 'Prisma has recorded a migration as failed, and refuses to continue.',
    advice: 'Run `carillon migrate`, which applies it again. If it fails, its message says why.',
  },
  migration_unknown: {
    severity: 'warning',
    meaning: 'The database has a migration that this release does not know: a newer release has migrated it.',
    advice: 'Expected during an upgrade. Otherwise install the newer release here too.',
  },
  logins: {
    severity: 'error',
    meaning: 'The logins of tenants and of the platform have too many or too few rights.',
    advice: 'Run `carillon migrate`, or see docs/architecture.md#roles.',
  },
  partition_horizon: {
    severity: 'warning',
    meaning: `Partitions exist for less than ${LOW_HORIZON_DAYS} days: workers should create them four weeks ahead.`,
    advice: 'Check the logs of the workers. An API creates missing partitions when it starts.',
  },
  secret_without_key: {
    severity: 'error',
    meaning: 'Secrets are sealed under a master key that this process does not have, so they cannot be opened.',
    advice: 'Add that key to MASTER_KEY_PREVIOUS, then run `carillon rewrap` (docs/secrets.md).',
  },
  secret_under_previous_key: {
    severity: 'warning',
    meaning: 'Secrets are sealed under a key of MASTER_KEY_PREVIOUS.',
    advice: 'Run `carillon rewrap`, then remove the key (docs/secrets.md).',
  },
} as const;

/** Migrations alone: while some are missing, other checks cannot run. */
export function migrationCheck(database: Database, directory: string): Check {
  return {
    name: 'migrations',
    run: async () => {
      const findings = new Findings(PROBLEMS);
      const found = await migrationsDifference((text) => database.platform.query({ text }), directory);
      findings.add('migration_pending', found.pending);
      findings.add('migration_edited', found.edited);
      findings.add('migration_failed', found.failed);
      findings.add('migration_unknown', found.unknown);
      return { examined: found.applied, findings: findings.list() };
    },
  };
}

export function rightsAndPartitionsChecks(database: Database): Check[] {
  return [
    {
      name: 'logins',
      run: async () => {
        const findings = new Findings(PROBLEMS);
        const fault = await database.loginFault();
        findings.add('logins', fault === null ? [] : [fault]);
        return { examined: 2, findings: findings.list() };
      },
    },
    {
      name: 'partitions',
      run: async () => {
        const findings = new Findings(PROBLEMS);
        const days = await new PartitionsStore(database).horizonDays();
        findings.add('partition_horizon', days < LOW_HORIZON_DAYS ? [`${Math.max(0, days).toFixed(1)} days`] : []);
        return { examined: 1, findings: findings.list() };
      },
    },
  ];
}

/** By the id of the master key that each secret names; opens none. */
export function secretsCheck(database: Database, box: SecretBox): Check {
  return {
    name: 'secrets',
    run: async () => {
      const findings = new Findings(PROBLEMS);
      const counts = await countSealed(database);
      for (const { column, keyId, count } of counts) {
        if (keyId === box.keyId) continue;
        const problem = box.previousKeyIds.includes(keyId) ? 'secret_under_previous_key' : 'secret_without_key';
        findings.add(problem, Array<string>(count).fill(`${column} under ${keyId}`));
      }
      return { examined: counts.reduce((sum, { count }) => sum + count, 0), findings: findings.list() };
    },
  };
}
