/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Registers of the Broadcom GENET v5. Their description is not public: these are facts that public
 * drivers agree on.
 *
 *      0x0000 SYS   0x0080 EXT   0x0200 INTRL2_0   0x0240 INTRL2_1   0x0300 RBUF   0x0600 TBUF
 *      0x0800 UMAC, the MAC      0x2000 receive DMA                  0x4000 transmit DMA
 */
#ifndef DEV_DRIVERS_GENET_REGS_H
#define DEV_DRIVERS_GENET_REGS_H

#define REGISTER_BYTES 0x6000u

#define SYS_REV_CTRL 0x000u
#define REV_MAJOR(x) ((x) >> 24 & 0xF)
#define REV_MAJOR_V5 6u
#define SYS_PORT_CTRL 0x004u
#define PORT_EXTERNAL_GIGABIT 3u
#define SYS_RBUF_FLUSH_CTRL 0x008u
#define RBUF_FLUSH_RESET (1u << 1)
#define EXT_RGMII_OOB_CTRL 0x08Cu
#define RGMII_LINK (1u << 4)
#define RGMII_OOB_DISABLE (1u << 5)
#define RGMII_MODE_EN (1u << 6)
#define RGMII_NO_DELAY (1u << 16) /* of the transmit clock */
#define INTRL2_0 0x200u           /* the default rings and the link */
#define INTRL2_1 0x240u           /* the other rings */
#define INTR_STAT 0x00u
#define INTR_CLEAR 0x08u
#define INTR_MASK_SET 0x10u
#define INTR_MASK_CLEAR 0x14u
#define IRQ_LINK (3u << 4)         /* up, down */
#define IRQ_RECEIVED (1u << 13)    /* as many frames as THRESHOLD says */
#define RBUF_CTRL 0x300u           /* receive buffer */
#define TBUF_CTRL 0x600u           /* transmit buffer */
#define BUF_STATUS_BLOCK (1u << 0) /* in both */
#define RBUF_ALIGN_2B (1u << 1)
#define RBUF_TBUF_SIZE_CTRL 0x3B4u
#define UMAC_CMD 0x808u
#define CMD_TX_EN (1u << 0)
#define CMD_RX_EN (1u << 1)
#define CMD_SPEED_SHIFT 2 /* 0: 10, 1: 100, 2: 1000 Mbit/s */
#define CMD_PROMISCUOUS (1u << 4)
#define CMD_RX_PAUSE_IGNORE (1u << 8)
#define CMD_HALF_DUPLEX (1u << 10)
#define CMD_SW_RESET (1u << 13)
#define CMD_LOCAL_LOOP (1u << 15)
#define CMD_TX_PAUSE_IGNORE (1u << 28)
#define UMAC_MAC0 0x80Cu
#define UMAC_MAC1 0x810u
#define UMAC_MAX_FRAME_LEN 0x814u
#define UMAC_TX_FLUSH 0xB34u
#define UMAC_MDF_CTRL 0xE50u /* address filters */

#define RX_DMA 0x2000u
#define TX_DMA 0x4000u

/* A descriptor; offsets from a DMA's registers. */
#define DESC_BYTES 12u
#define DESC_STATUS 0x0u
#define DESC_ADDRESS_LO 0x4u
#define DESC_ADDRESS_HI 0x8u
#define STATUS_LENGTH_SHIFT 16
#define STATUS_LENGTH_MASK 0xFFFu
#define STATUS_EOP (1u << 14)
#define STATUS_SOP (1u << 13)
#define STATUS_TX_QTAG (0x3Fu << 7)
#define STATUS_TX_APPEND_CRC (1u << 6)
#define STATUS_RX_ERRORS 0x1Fu /* length, alignment, code, CRC, overrun */

/* Ring 16: offsets from a DMA's registers. */
#define RING(x) (0xC00u + 16u * 0x40u + (x))
#define RING_THEIR_POINTER RING(0x00u) /* in words; each pointer's high half follows */
#define RING_THEIR_INDEX RING(0x08u)
#define RING_OUR_INDEX RING(0x0Cu)
#define RING_SIZES RING(0x10u)
#define RING_START RING(0x14u)
#define RING_END RING(0x1Cu)
#define RING_THRESHOLD RING(0x24u)
#define RING_FLOW RING(0x28u) /* received: flow control's thresholds; sent: rate limit */
#define RING_OUR_POINTER RING(0x2Cu)

/* All rings: offsets from a DMA's registers. */
#define DMA_RING_CFG 0x1040u
#define DMA_CTRL 0x1044u
#define DMA_CTRL_EN (1u << 0)
#define DMA_STATUS 0x1048u
#define DMA_DISABLED (1u << 0)
#define DMA_SCB_BURST 0x104Cu
#define BURST_BCM2711 8u
#define DEFAULT_RING (1u << 16)
#define DEFAULT_RING_EN (DEFAULT_RING << 1)

#endif
