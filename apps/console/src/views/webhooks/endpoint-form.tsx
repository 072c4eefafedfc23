import { Checkbox, SimpleGrid, Switch, Textarea, TextInput } from '@mantine/core';
import { FormDialog } from '../../page/form-dialog';
import type { Endpoint } from './endpoint';
import { type EventType, eventTypes } from './webhook-events';

export interface EndpointValues {
  url: string;
  description: string | null;
  events: EventType[];
  ordered: boolean;
}

interface EndpointFormProps {
  title: string;
  confirm: string;
  opened: boolean;
  close: () => void;
  save: (values: EndpointValues) => Promise<unknown>;
  /** The endpoint to change. */
  endpoint?: Endpoint;
}

const EMPTY: EndpointValues = { url: '', description: null, events: ['*'], ordered: false };

export function EndpointForm({ endpoint, save, ...dialog }: EndpointFormProps) {
  return (
    <FormDialog {...dialog} size="xl" initial={endpoint ? valuesOf(endpoint) : EMPTY} run={save}>
      {({ values, set, faultOf }) => (
        <>
          <TextInput
            label="URL"
            description="https, with a public address, on port 443 or 8443."
            placeholder="https://example.com/carillon"
            value={values.url}
            onChange={(event) => set({ url: event.currentTarget.value })}
            error={faultOf('url')}
            required
            data-autofocus
          />
          <Textarea
            label="Description"
            placeholder="Orders service"
            value={values.description ?? ''}
            onChange={(event) => set({ description: event.currentTarget.value || null })}
            error={faultOf('description')}
            maxLength={255}
          />
          <Events chosen={values.events} change={(events) => set({ events })} fault={faultOf('events')} />
          <Switch
            label="In order"
            description="The events of a recipient one after the other. A failing one delays those behind it."
            checked={values.ordered}
            onChange={(event) => set({ ordered: event.currentTarget.checked })}
          />
        </>
      )}
    </FormDialog>
  );
}

function valuesOf({ url, description, events, ordered }: Endpoint): EndpointValues {
  return { url, description, events: events as EventType[], ordered };
}

interface EventsProps {
  chosen: EventType[];
  change: (events: EventType[]) => void;
  fault: string | undefined;
}

function Events({ chosen, change, fault }: EventsProps) {
  const isAll = chosen.includes('*');
  return (
    <Checkbox.Group
      label="Events"
      value={chosen}
      onChange={(events) => change(events.includes('*') && !isAll ? ['*'] : (events as EventType[]))}
      error={fault}
    >
      <Checkbox value="*" label="All events, also those of later releases" mt="xs" />
      {!isAll && (
        <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="xs" mt="xs">
          {eventTypes.map(({ type, meaning }) => (
            <Checkbox key={type} value={type} label={type} description={meaning} />
          ))}
        </SimpleGrid>
      )}
    </Checkbox.Group>
  );
}
