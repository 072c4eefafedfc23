import { type Command, Option } from 'commander';
import { API_KEY_OPTION, JSON_OPTION, URL_OPTION } from '../options.js';
import type { ImportRecipientsRun } from './run-import-recipients.js';
import type { ImportTemplatesRun } from './run-import-templates.js';

const RECIPIENT_EXAMPLES = `
Examples:
  echo '{"subscriberId": "ann", "email": "ann@example.com"}' > subscribers.ndjson
  carillon import recipients --from novu subscribers.ndjson           # shows what it would do
  carillon import recipients --from novu subscribers.ndjson --yes     # does it; a second run changes nothing

docs/import.md lists the shapes that it reads. It ends with 5 if rows were refused.`;

const TEMPLATE_EXAMPLES = `
Examples:
  mkdir -p emails && echo '<title>Hello {{name}}</title>Good to see you.' > emails/hello.en.html
  carillon import templates emails            # shows the differences
  carillon import templates emails --yes      # creates templates, and new versions of those that differ

docs/import.md says what becomes of a file. It ends with 5 if files were refused.`;

/** `import recipients|templates`: from the exports of other products, and from files. */
export function addImportCommands(program: Command): void {
  const group = program.command('import').description('take over recipients and templates from other products');
  withConnection(
    group
      .command('recipients')
      .argument('<file>', 'one JSON value per line, a JSON array, or .csv')
      .description('create and change recipients with their preferences and devices, from an export')
      .addOption(
        new Option('--from <product>', 'where the export is from').choices(['novu', 'knock']).makeOptionMandatory(),
      )
      .option('--yes', 'do it; without it the command only shows what it would do')
      .option('--refused <file>', 'write a line of JSON for each row that is refused')
      .addOption(
        new Option('--device-platform <platform>', 'of device tokens without one').choices(['ios', 'android', 'web']),
      ),
  )
    .addHelpText('after', RECIPIENT_EXAMPLES)
    .action(async (file: string, options: ImportRecipientsRun) =>
      (await import('./run-import-recipients.js')).importRecipients(file, options),
    );
  withConnection(
    group
      .command('templates')
      .argument('<path...>', 'folders and files: .mjml, .html, .htm')
      .description('create and change e-mail templates from MJML and HTML')
      .option('--yes', 'do it; without it the command only shows what it would do')
      .option('--locale <tag>', 'of files whose name has none', 'en'),
  )
    .addHelpText('after', TEMPLATE_EXAMPLES)
    .action(async (paths: string[], options: ImportTemplatesRun) =>
      (await import('./run-import-templates.js')).importTemplates(paths, options),
    );
}

function withConnection(command: Command): Command {
  return command.addOption(URL_OPTION).addOption(API_KEY_OPTION).addOption(JSON_OPTION);
}
