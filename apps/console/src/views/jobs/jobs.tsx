import { Route, Routes } from 'react-router';
import { JobList } from './job-list';
import { JobPage } from './job-page';
import { UploadPage } from './upload-page';

export default function Jobs() {
  return (
    <Routes>
      <Route index element={<JobList />} />
      <Route path="upload" element={<UploadPage />} />
      <Route path=":id" element={<JobPage />} />
    </Routes>
  );
}
