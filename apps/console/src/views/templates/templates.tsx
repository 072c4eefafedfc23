import { Route, Routes } from 'react-router';
import { EditTemplate } from './edit-template';
import { NewTemplate } from './new-template';
import { TemplateList } from './template-list';
import { TemplateVersions } from './template-versions';

export default function Templates() {
  return (
    <Routes>
      <Route index element={<TemplateList />} />
      <Route path="new" element={<NewTemplate />} />
      <Route path=":templateId" element={<EditTemplate />} />
      <Route path=":templateId/versions" element={<TemplateVersions />} />
    </Routes>
  );
}
