//! Random addresses, most of them where a judge may err: at the borders of blocks, inside of them,
//! and as an IPv4 address inside an IPv6 address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use proptest::sample::select;

use crate::oracle::{IPV4, IPV6, Table, Verdict, judge, number};
use crate::tables::borders;

/// Any address.
pub(crate) fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        3 => near_a_border(),
        2 => inside_a_block(&IPV4),
        3 => inside_a_block(&IPV6),
        4 => carrying(),
        1 => any::<u32>().prop_map(|bits| Ipv4Addr::from(bits).into()),
        1 => any::<u128>().prop_map(|bits| Ipv6Addr::from(bits).into()),
        1 => global_unicast().prop_map(|bits| Ipv6Addr::from(bits).into()),
    ]
}

/// An IPv4 address that is not public.
pub(crate) fn internal() -> impl Strategy<Value = Ipv4Addr> {
    let multicast = (0xe000_0000..=0xefff_ffff_u32).prop_map(Ipv4Addr::from);
    let special = inside_a_block(&IPV4).prop_filter_map("not public", |address| match address {
        IpAddr::V4(v4) if judge(address) != Verdict::Public => Some(v4),
        _ => None,
    });
    prop_oneof![1 => multicast, 12 => special]
}

/// An IPv4 address that is public.
pub(crate) fn public() -> impl Strategy<Value = Ipv4Addr> {
    let any = any::<u32>().prop_map(Ipv4Addr::from);
    any.prop_filter("public", |v4| judge((*v4).into()) == Verdict::Public)
}

fn near_a_border() -> impl Strategy<Value = IpAddr> {
    (select(borders()), -2..=2_i128).prop_map(|(border, offset)| {
        let table: &Table = if border.is_ipv4() { &IPV4 } else { &IPV6 };
        let moved = number(border).wrapping_add_signed(offset);
        table.address(moved & table.end())
    })
}

fn inside_a_block(table: &'static Table) -> impl Strategy<Value = IpAddr> {
    (0..table.entries.len(), any::<u128>()).prop_map(|(row, bits)| {
        let entry = &table.entries[row];
        table.address(entry.first | (bits & !entry.mask))
    })
}

fn global_unicast() -> impl Strategy<Value = u128> {
    any::<u128>().prop_map(|bits| bits >> 3 | 1 << 125)
}

fn carrying() -> impl Strategy<Value = IpAddr> {
    let carried = prop_oneof![internal(), public()].prop_map(|v4| u128::from(u32::from(v4)));
    (0..8_u8, carried, global_unicast()).prop_map(|(form, carried, other)| {
        let bits = match form {
            0 => 0xffff_0000_0000 | carried,
            1 => 0x64_ff9b << 96 | carried,
            2 => carried,
            3 => 0xffff << 48 | carried,
            4 => 0x2002 << 112 | carried << 80 | other >> 48,
            5 => 0x2001 << 112 | (other >> 64) << 32 & u128::MAX >> 32 | carried ^ 0xffff_ffff,
            6 => (other >> 64) << 64 | 0x5efe << 32 | carried,
            _ => (other >> 64) << 64 | 0x200_5efe << 32 | carried,
        };
        Ipv6Addr::from(bits).into()
    })
}
