// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"

struct mnl_socket;

namespace felix::bench {

// What the kernel costs for sets of IPv4 hosts, with as little of a program around it as there can
// be: libmnl messages of type hash:net, made without any abstraction over members. The floor that
// the engine is compared with. Owns a socket of the namespace it was opened in; aborts on failure.
class BareSets {
 public:
  BareSets();
  ~BareSets();
  BareSets(const BareSets&) = delete;
  BareSets& operator=(const BareSets&) = delete;

  void Create(const std::string& name, std::uint32_t hash_size, std::uint32_t max_members);
  void Destroy(const std::string& name);
  // One message, one answer.
  void Add(const std::string& name, std::uint32_t host);
  void Delete(const std::string& name, std::uint32_t host);
  // The same for addresses at interfaces with marks: sets of type hash:net,iface. A member that
  // counts starts from zero.
  void CreateMarked(const std::string& name, std::uint32_t hash_size, std::uint32_t max_members,
                    bool counts);
  void AddMarked(const std::string& name, std::uint32_t host, const std::string& interface,
                 std::uint32_t mark, bool counts);
  void DeleteMarked(const std::string& name, std::uint32_t host, const std::string& interface);
  // 100 members a message, 32 messages at a time, one answer each time.
  void AddAll(const std::string& name, std::span<const std::uint32_t> hosts);

 private:
  void One(int command, const std::string& name, std::uint32_t host);
  void CreateAny(const std::string& name, const char* type, std::uint8_t revision,
                 std::uint32_t hash_size, std::uint32_t max_members, std::uint32_t flags);
  void Ask(const void* message, std::size_t size);

  mnl_socket* socket_;
  std::uint32_t sequence_ = 0;
  std::vector<char> buffer_;
};

// The same through libipset's own batches, with binary members and a type that is looked up once:
// the best that the library can do.
class LibipsetMembers {
 public:
  LibipsetMembers();
  ~LibipsetMembers();
  LibipsetMembers(const LibipsetMembers&) = delete;
  LibipsetMembers& operator=(const LibipsetMembers&) = delete;

  void AddAll(const std::string& name, std::span<const std::uint32_t> hosts);
  void Delete(const std::string& name, std::uint32_t host);

 private:
  void Member(const std::string& name, std::uint32_t host);

  void* session_;
  const void* type_;
};

}  // namespace felix::bench
