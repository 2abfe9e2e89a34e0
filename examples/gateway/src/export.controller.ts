import { BadGatewayException, Controller, Get, StreamableFile } from '@nestjs/common';
import { BorrowSignal } from 'nestjs-pool';
import { InjectHttp, type HttpSession } from 'nestjs-pool/http';
import { failed } from './ask.js';

@Controller('export')
export class ExportController {
  constructor(@InjectHttp('downloads') private readonly downloads: HttpSession) {}

  /**
   * Handed through as it comes, and no faster than it is read. When the client leaves, so does the gateway; when the
   * upstream breaks off, the client's connection is cut too, or it would take the half for the whole.
   */
  @Get()
  async csv(@BorrowSignal() signal: AbortSignal): Promise<StreamableFile> {
    const orFail = failed(this.downloads, { signal });
    const { statusCode, headers, body } = await this.downloads.request('export', { signal }).catch(orFail);
    if (statusCode !== 200) {
      await body.dump().catch(orFail);
      throw new BadGatewayException(`downloads answered ${statusCode}`);
    }
    const length = Number(headers['content-length']);
    return new StreamableFile(body, { type: 'text/csv', ...(length > 0 && { length }) });
  }
}
