import { Module, type DynamicModule, type Provider, type Type } from '@nestjs/common';

/** The admin API as a Nest module: its controllers, and what they need. */
@Module({})
export class ApiModule {
  static of(controllers: readonly Type[], providers: readonly Provider[]): DynamicModule {
    return { module: ApiModule, controllers: [...controllers], providers: [...providers] };
  }
}
