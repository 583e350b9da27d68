use std::time::*; use std::sync::Arc;
use castline_core::ledger::*; use castline_core::request::*; use castline_core::*; use castline_store::Store; use castline_spec::preset::OutputKind; use indexmap::IndexMap; use jiff::Timestamp;
fn key(n:usize)->Key{Key(Digest::of(format!("{n}").as_bytes()))}
#[tokio::test] async fn bench(){
 let f=tempfile::tempdir_in("/work/main/target").unwrap();
 let t=Instant::now(); let store=Store::open(f.path()).unwrap(); println!("open fresh {:?}",t.elapsed());
 let terms=Terms{bills:true,get:true,cancel:true,list:false,remote:true};
 let claim=Claim::new(store.owner().clone(),RunId::from("r"),vec![Account::Day,Account::Run("r".into())]);
 store.ledger().open_account(&Account::Day,Some(MicroUsd(u64::MAX/4))).await.unwrap();
 let t=Instant::now();
 let mut ans=vec![];
 for n in 0..10000{ let req=Request{key:key(n),realm:Realm::Public,provider:"replicate".into(),model:"a/b".parse().unwrap(),input:IndexMap::from([("prompt".to_owned(),Value::from("some long prompt text that goes on for a while, a paper boat floating on calm water")),("seed".to_owned(),Value::from_json(n.into())),("aspect_ratio".to_owned(),Value::from("1:1"))]),draw:vec![],output:OutputShape{kind:OutputKind::Text,many:false},price:Some(MicroUsd(1)),timeout:Duration::from_secs(9)};
  ans.push(store.ledger().commit(vec![(key(n),claim.clone(),Ask::Claim{request:Arc::new(req),terms,since:Timestamp::now(),beyond:0})])); }
 let mut cl=vec![]; for a in ans{ if let Verdict::Create(c)=a.await.unwrap().remove(0){cl.push(c)} }
 println!("10k claims {:?}",t.elapsed());
 let t=Instant::now();
 let blob=store.blobs().write(b"abc").unwrap();
 let ans:Vec<_>=cl.into_iter().enumerate().map(|(n,c)|store.ledger().commit(vec![(key(n),c,Ask::Fetched(Arrival{output:Output{raw:Value::Media(blob.clone())},cost:None,predict_seconds:None,prediction:None}))])).collect();
 for a in ans{a.await.unwrap();}
 println!("10k fetched {:?}",t.elapsed());
 let t=Instant::now(); for n in 0..50{ store.ledger().commit(vec![(key(20000+n),claim.clone(),Ask::Claim{request:Arc::new(Request{key:key(20000+n),realm:Realm::Public,provider:"replicate".into(),model:"a/b".parse().unwrap(),input:IndexMap::new(),draw:vec![],output:OutputShape{kind:OutputKind::Text,many:false},price:Some(MicroUsd(1)),timeout:Duration::from_secs(9)}),terms,since:Timestamp::now(),beyond:0})]).await.unwrap(); } println!("one durable claim {:?}",t.elapsed()/50);
 let t=Instant::now(); store.settle().await.unwrap(); println!("settle {:?}",t.elapsed());
 drop(store);
 let t=Instant::now(); let store=Store::open(f.path()).unwrap(); println!("open {:?}",t.elapsed());
 let keys:Vec<_>=(0..10000).map(key).collect();
 for _ in 0..2{
 let t=Instant::now(); let e=store.ledger().entries(&keys).await.unwrap(); println!("10k entries {:?} {}",t.elapsed(),e.iter().flatten().count());
 let t=Instant::now(); let e=store.ledger().briefs(&keys).await.unwrap(); println!("10k briefs {:?}",t.elapsed());
 let t=Instant::now(); let c=e.iter().flatten().filter(|b|store.blobs().has(b.output.as_ref().unwrap().raw.media()[0])).count(); println!("10k has {:?} {c}",t.elapsed());
 }
 let t=Instant::now(); let b:Vec<_>=(0..1000).map(|n:u32|store.blobs().write(&n.to_le_bytes().repeat(10000)).unwrap()).collect(); println!("1000 blobs of 40k {:?}",t.elapsed());
 let t=Instant::now(); store.settle().await.unwrap(); println!("settle {:?} {}",t.elapsed(), b.len());
}
