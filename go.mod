module github.com/polyvoke/polyvoke

go 1.26
