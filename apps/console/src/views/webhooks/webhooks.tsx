import { Route, Routes } from 'react-router';
import { EndpointList } from './endpoint-list';
import { EndpointPage } from './endpoint-page';

export default function Webhooks() {
  return (
    <Routes>
      <Route index element={<EndpointList />} />
      <Route path=":id" element={<EndpointPage />} />
    </Routes>
  );
}
