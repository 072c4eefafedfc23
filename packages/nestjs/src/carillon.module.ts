import { Carillon, type CarillonOptions } from '@carillon/client';
import { ConfigurableModuleBuilder, Module } from '@nestjs/common';

/** The options of the client: `url`, `apiKey` and those of its retries. */
export type CarillonModuleOptions = CarillonOptions;

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } = new ConfigurableModuleBuilder<CarillonModuleOptions>({
  moduleName: 'Carillon',
})
  .setClassMethodName('forRoot')
  .setExtras({ isGlobal: false }, (definition, { isGlobal }) => ({ ...definition, global: isGlobal }))
  .build();

/** Provides `Carillon` of `@carillon/client`. With `isGlobal: true` all modules can inject it without an import. */
@Module({
  providers: [{ provide: Carillon, inject: [MODULE_OPTIONS_TOKEN], useFactory: clientOf }],
  exports: [Carillon],
})
export class CarillonModule extends ConfigurableModuleClass {}

/** Fails at the start of the application rather than at the first call. */
function clientOf(options: CarillonModuleOptions): Carillon {
  try {
    return new Carillon(options);
  } catch (error) {
    throw new Error(`CarillonModule: ${(error as Error).message}`, { cause: error });
  }
}
