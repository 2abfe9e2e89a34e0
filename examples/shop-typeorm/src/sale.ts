import { Column, Entity, ManyToOne, PrimaryGeneratedColumn } from 'typeorm';
import { Product } from './product.js';

@Entity('sales')
export class Sale {
  @PrimaryGeneratedColumn()
  id!: number;

  @ManyToOne(() => Product, { nullable: false })
  product!: Product;

  @Column({ type: 'int' })
  quantity!: number;
}
