// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "compiler/ir/address_set.h"
#include "ipset/kernel_sets.h"
#include "model/address.h"

struct mnl_socket;
struct nlmsghdr;

namespace felix::ipset {

struct VersionRange {
  std::uint8_t min = 0;
  std::uint8_t max = 0;
};

// Questions to the kernel's ip_set subsystem (linux/netfilter/ipset/ip_set.h) that change nothing.
// Owns a netlink socket of the namespace it was opened in. Reading is apart from libipset because
// that library turns members into text, opening /etc/protocols once for each member with a port,
// cannot list a set whose revision it does not know, and is out of step with its socket after
// asking for a set that is gone.
class SetReader {
 public:
  static absl::StatusOr<std::unique_ptr<SetReader>> Open();
  ~SetReader();
  SetReader(const SetReader&) = delete;
  SetReader& operator=(const SetReader&) = delete;

  // As in KernelSets.
  absl::StatusOr<std::vector<std::string>> ListNames();
  absl::StatusOr<std::optional<SetContent>> Read(const std::string& name);
  absl::StatusOr<std::vector<SetHeader>> ListHeaders();
  // As in KernelSets, but the object can do nothing else until the last portion is there.
  absl::StatusOr<Portion> ReadPortion(const std::string& name);
  // The set that is being read in portions; empty if none is.
  [[nodiscard]] const std::string& portions_of() const { return portions_of_; }

  // Errors: kFailedPrecondition if the kernel has no ip_set or no such type.
  absl::StatusOr<VersionRange> ProtocolVersions();
  absl::StatusOr<VersionRange> TypeRevisions(std::string_view type, model::IpFamily family);

 private:
  struct Request;
  using OnReply = std::function<void(const nlmsghdr&)>;

  explicit SetReader(mnl_socket* socket) : socket_(socket), buffer_(std::size_t{1} << 16U) {}

  // Sends the request and hands every data message of the answer to `on_reply`.
  absl::Status Ask(const Request& request, const OnReply& on_reply);
  absl::Status Send(const Request& request);
  absl::Status Receive(std::uint32_t sequence, const Request& request, const OnReply& on_reply);
  // One message of the answer; the outcome if it was the last.
  static std::optional<absl::Status> Digest(const nlmsghdr& message, const Request& request,
                                            const OnReply& on_reply);
  // What one call of the kernel brings; the outcome if that was the end.
  std::optional<absl::Status> ReceiveOnce(std::uint32_t sequence, const Request& request,
                                          const OnReply& on_reply);

  mnl_socket* socket_;
  std::uint32_t sequence_ = 0;
  std::vector<char> buffer_;
  std::string portions_of_;
  std::string portions_type_;  // of that set
};

}  // namespace felix::ipset
