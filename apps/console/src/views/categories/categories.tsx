import { Stack, Tabs } from '@mantine/core';
import { useLocation, useNavigate } from 'react-router';
import { useViewContext } from '../../api/view-context';
import { Page } from '../../page/page';
import { CategoryList } from './category-list';
import { PreferenceRulesForm } from './preference-rules-form';
import { QuotaUse } from './quota-use';

export default function Categories() {
  const { pathname } = useLocation();
  const { linkTo } = useViewContext();
  const navigate = useNavigate();
  const tab = pathname.endsWith('/rules') ? 'rules' : pathname.endsWith('/limits') ? 'limits' : 'list';
  return (
    <Page
      title="Categories"
      about={
        'Kinds of messages that recipients choose from, what applies while they have not chosen, ' +
        'and what limits you.'
      }
    >
      <Tabs
        value={tab}
        onChange={(chosen) => void navigate(linkTo(chosen === 'list' ? '/categories' : `/categories/${chosen}`))}
        keepMounted={false}
      >
        <Tabs.List>
          <Tabs.Tab value="list">Categories</Tabs.Tab>
          <Tabs.Tab value="rules">Preference rules</Tabs.Tab>
          <Tabs.Tab value="limits">Quota and caps</Tabs.Tab>
        </Tabs.List>
        <Stack pt="md">
          <Tabs.Panel value="list">
            <CategoryList />
          </Tabs.Panel>
          <Tabs.Panel value="rules">
            <PreferenceRulesForm />
          </Tabs.Panel>
          <Tabs.Panel value="limits">
            <QuotaUse />
          </Tabs.Panel>
        </Stack>
      </Tabs>
    </Page>
  );
}
