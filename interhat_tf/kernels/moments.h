// Mean and variance over records of which several threads have seen some each.

#ifndef INTERHAT_TF_KERNELS_MOMENTS_H_
#define INTERHAT_TF_KERNELS_MOMENTS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace interhat {

// Mean and summed squared deviations of some numbers of a record, of some records, in double
// precision: many parts, whose own are in single, are added up.
struct Moments {
  std::vector<double> mean, deviations;
  int64_t records = 0;

  explicit Moments(int size) : mean(size), deviations(size) {}

  void add(const Moments& other) { add(other.mean, other.deviations, other.records); }

  // Chan, Golub and LeVeque's update with those of other records.
  template <typename T>
  void add(const std::vector<T>& other_mean, const std::vector<T>& other_deviations,
           int64_t other_records) {
    if (!other_records) return;
    const double share = static_cast<double>(other_records) / (records + other_records);
    for (size_t n = 0; n < mean.size(); n++) {
      const double difference = other_mean[n] - mean[n];
      mean[n] += difference * share;
      deviations[n] += other_deviations[n] + difference * difference * share * records;
    }
    records += other_records;
  }
};

}  // namespace interhat

#endif  // INTERHAT_TF_KERNELS_MOMENTS_H_
