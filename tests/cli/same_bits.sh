# SPDX-License-Identifier: BSD-3-Clause
# The recipe's net on real digits: the same bytes of weights on 1, 2, 3, 5 and 8 ranks, with 1 and 2 threads.
mnist=$DCNN_DATA/mnist
dcnn prepare "$mnist/train-images-idx3-ubyte.gz" "$mnist/train-labels-idx1-ubyte.gz" --limit 600 -o digits.h5 >prepare.said
for threads in 1 2; do
    for count in 1 2 3 5 8; do
        ranks "$count" dcnn train digits.h5 --epochs 1 --threads "$threads" --run "run-$count-$threads" -q --no-report >run.said || cat run.said
        echo "$count ranks x $threads threads: $(hash_of run-"$count-$threads"/best.h5)"
        dcnn info "run-$count-$threads/best.h5" >/dev/null || echo damaged
        sed -E 's/,"(seconds|images_per_s|phases)":.*//' "run-$count-$threads/metrics.jsonl" >>metrics
    done
done >hashes
sed -E 's/.*: //' hashes | sort | uniq -c | sed -E 's/[0-9a-f]{16}/HASH/'
sort metrics | uniq -c | sed -E 's/\{.*/LINE/'
