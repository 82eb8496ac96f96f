// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "absl/status/status.h"

#include "datastore/snapshot/byte_reader.h"
#include "datastore/snapshot/event_sink.h"

namespace felix::datastore {

// What `felix --record FILE` wrote: one JSON object in each line, of which "t" says the kind:
//   meta    what recorded it: schema, host, version, started
//   step    what follows was told together: ts, rev
//   set     a key of etcd has this value: k, v
//   del     a key of etcd is gone: k
//   file    a file has this text: f, v
//   gone    a file is gone: f
//   iface   an interface of the host, with its addresses, or "gone": name, addrs
//   commit  the kernel was brought up to date: ts, us (compile, sets, tables, total)
// Other kinds and fields are passed over. A last line without an end was cut by a crash and is left
// out without a word; each start of felix appends a meta line, behind which everything is told
// anew.

[[nodiscard]] bool LooksLikeRecording(std::string_view head);

// Errors: reading fails. Lines that cannot be understood go to the sink.
absl::Status ReadRecording(ByteReader& reader, EventSink& sink);

}  // namespace felix::datastore
